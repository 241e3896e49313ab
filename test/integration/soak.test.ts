import { join } from "node:path";
import { expect, test } from "vitest";
import { SOAK_RULES } from "../soak/rules.ts";
import { soak } from "../soak/soak.ts";

const SEED = 6;

/** Every way for a tunnel to end that the soak brings about. */
const CAUSES = [
  "backend_close",
  "backend_dead",
  "backend_lost",
  "client_close",
  "client_dead",
  "client_lost",
  "idle",
  "lifetime",
  "message_too_big",
  "protocol_error",
  "rate_limit",
  "too_many_fragments",
];

test("hundreds of tunnels under every policy lose no byte, end for the reason that was given, and leave nothing behind", async () => {
  const report = await soak({ seed: SEED, durationMs: 30_000, tunnels: 40, rules: SOAK_RULES });
  expect(report.failures.join("\n\n")).toBe("");
  expect([...report.byCause.keys()].toSorted()).toEqual(CAUSES);
  expect(report.tunnels).toBeGreaterThan(100);
  expect(report.ownPings).toBeGreaterThan(10);
});

test("one bit that is turned on the way is seen", async () => {
  const env = { NODE_OPTIONS: `--import ${join(import.meta.dirname, "../soak/plant-flip.mjs")}` };
  const rules = SOAK_RULES.filter((rule) => rule.name === "plain");
  const report = await soak({ seed: SEED, durationMs: 10_000, tunnels: 10, rules, env });
  expect(report.failures.join("\n")).toMatch(/has other bytes|is not the next of|nobody sent/);
});
