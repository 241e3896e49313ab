import fc from "fast-check";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { connectionBounds, descriptorLimit } from "./descriptor-limit.ts";

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             2000                 2000                 processes
Max open files            1024                 524288               files
Max locked memory         8388608              8388608              bytes
`;

test("the soft limit counts", () => {
  expect(descriptorLimit(LIMITS)).toBe(1024);
});

test.for([
  { name: "no such file", limits: undefined },
  { name: "another system's text", limits: "open files (-n) 1024" },
  { name: "no limit", limits: LIMITS.replace("1024  ", "unlimited") },
])("$name is no bound", ({ limits }) => {
  expect(descriptorLimit(limits)).toBe(undefined);
});

test.runIf(process.platform === "linux")("this system says what it allows", () => {
  expect(descriptorLimit(readFileSync("/proc/self/limits", "utf8"))).toBeGreaterThan(64);
});

test.for([
  { descriptors: 256, want: { maxTunnels: 72, maxConnections: 88 } },
  { descriptors: 1_024, want: { maxTunnels: 440, maxConnections: 472 } },
  { descriptors: 20_000, want: { maxTunnels: 9_335, maxConnections: 9_960 } },
  { descriptors: 1_048_576, want: { maxTunnels: 491_480, maxConnections: 524_248 } },
  { descriptors: 10, want: { maxTunnels: 1, maxConnections: 2 } },
])("$descriptors descriptors are enough for $want.maxTunnels tunnels", ({ descriptors, want }) => {
  expect(connectionBounds(descriptors)).toEqual(want);
});

test("two descriptors for each connection fit into any limit, with enough for ourselves and for others than tunnels", () => {
  fc.assert(
    fc.property(fc.integer({ min: 128, max: 2 ** 30 }), (descriptors) => {
      const { maxTunnels, maxConnections } = connectionBounds(descriptors);
      expect(maxConnections * 2).toBeLessThanOrEqual(descriptors - 80);
      expect(maxConnections - maxTunnels).toBeGreaterThanOrEqual(16);
    }),
  );
});
