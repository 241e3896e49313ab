import { totalmem } from "node:os";
import { expect, test } from "vitest";
import { processBounds, readProcessLimits, tellBounds } from "./process-bounds.ts";

const LIMITS = { memoryBytes: 1_000_000_003, descriptors: 1_024 };
const NO_FLAGS = { bufferBudgetBytes: undefined, maxTunnels: undefined };

test("without flags buffers may take a quarter of the memory, and descriptors say how many tunnels there may be", () => {
  expect(processBounds(NO_FLAGS, LIMITS)).toEqual({
    bufferBudgetBytes: 250_000_000,
    maxTunnels: 440,
    maxConnections: 472,
  });
});

test("flags are stronger, but no flag makes more descriptors", () => {
  expect(processBounds({ bufferBudgetBytes: 5_000_000, maxTunnels: 10_000 }, LIMITS)).toEqual({
    bufferBudgetBytes: 5_000_000,
    maxTunnels: 10_000,
    maxConnections: 472,
  });
});

test("where nobody says how many descriptors there are, tunnels have no bound", () => {
  expect(processBounds(NO_FLAGS, { ...LIMITS, descriptors: undefined })).toEqual({
    bufferBudgetBytes: 250_000_000,
    maxTunnels: undefined,
    maxConnections: undefined,
  });
});

test("this system's limits make sense", () => {
  const { memoryBytes, descriptors } = readProcessLimits();
  expect(memoryBytes).toBeGreaterThan(16 * 2 ** 20);
  expect(memoryBytes).toBeLessThanOrEqual(totalmem());
  if (process.platform === "linux") expect(descriptors).toBeGreaterThan(64);
});

test.for([
  { name: "bounds are told", maxTunnels: undefined, want: ["info process bounds"] },
  {
    name: "a flag that asks for more than there is is told too",
    maxTunnels: 473,
    want: ["info process bounds", "warn --max-tunnels is more than the limit of open files allows"],
  },
])("$name", ({ maxTunnels, want }) => {
  const lines: string[] = [];
  const told: object[] = [];
  const say = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message}`);
    told.push(fields);
  };
  const log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  tellBounds(log, processBounds({ ...NO_FLAGS, maxTunnels }, LIMITS), LIMITS);
  expect(lines).toEqual(want);
  expect(told[0]).toEqual({
    bufferBudgetBytes: 250_000_000,
    maxTunnels: maxTunnels ?? 440,
    maxConnections: 472,
    memoryLimitBytes: 1_000_000_003,
    descriptorLimit: 1_024,
  });
});
