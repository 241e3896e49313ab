/**
 * The soak for as long as one likes:
 *
 *     npm run soak -- --minutes 10 --seed 7 --tunnels 60 --rules plain,keepalive
 *
 * Prints what was wrong with which tunnel, and exits 1 when there was something.
 */
import { parseArgs } from "node:util";
import { SOAK_RULES } from "./rules.ts";
import { soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    tunnels: { type: "string", default: "60" },
    rules: { type: "string", default: SOAK_RULES.map((rule) => rule.name).join(",") },
  },
});
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const names = new Set(values.rules.split(","));
const rules = SOAK_RULES.filter((rule) => names.has(rule.name));
if (rules.length !== names.size) throw new Error(`rules are ${SOAK_RULES.map((rule) => rule.name).join(", ")}`);
const seed = Number(values.seed);
const durationMs = Number(values.minutes) * 60_000;
say(
  `soak: ${values.minutes} minutes, seed ${seed}, ${values.tunnels} tunnels at a time, rules ${[...names].join(", ")}`,
);
const report = await soak({ seed, durationMs, tunnels: Number(values.tunnels), rules, onProgress: say });
for (const failure of report.failures) say(`FAILURE: ${failure}`);
const causes = [...report.byCause].map(([cause, count]) => `${cause} ${count}`).join(", ");
say(
  `soak: ${report.tunnels} tunnels, ${(report.bytes / 2 ** 20).toFixed(0)} MiB, ${report.ownPings} Pings of the ` +
    `proxy's, memory by tenths of the time ${report.memoryMib.join(" ")} MiB; ends: ${causes}`,
);
process.exitCode = report.failures.length === 0 ? 0 : 1;
