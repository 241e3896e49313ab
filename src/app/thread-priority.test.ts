import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";

/** The niceness of every thread of this process (field 19 of proc_pid_stat(5)). */
function nicenesses(): Map<number, number> {
  return new Map(
    readdirSync("/proc/self/task").map((thread) => {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
      return [Number(thread), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16])];
    }),
  );
}

test.skipIf(process.platform !== "linux")(
  "a worker that steps back leaves every other thread where it was",
  async () => {
    const before = nicenesses();
    const entry = JSON.stringify(new URL("./thread-priority.ts", import.meta.url).href);
    const code = `import(${entry}).then(({ stepBack }) => { stepBack(); require("node:worker_threads").parentPort.once("message", () => process.exit()).postMessage("done"); });`;
    const worker = new Worker(code, { eval: true, execArgv: [] });
    await once(worker, "message");
    const changed = [...nicenesses()].filter(
      ([thread, niceness]) => niceness !== (before.get(thread) ?? getPriority()),
    );
    expect(changed).toHaveLength(1);
    expect(changed[0]?.[1]).toBe(getPriority() + 5);
    worker.postMessage("end");
    await once(worker, "exit");
  },
);
