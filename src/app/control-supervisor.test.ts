import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { TableHolder } from "../routing/index.ts";
import { UpstreamRegistry } from "../upstream/index.ts";
import { graphOptions } from "./graph-options.ts";
import { FOLDER_RULES } from "./source-flags.ts";
import { ControlSupervisor } from "./control-supervisor.ts";
import { DataPlaneReceiver } from "./data-plane-receiver.ts";
import { restartDelay } from "./restart-back-off.ts";

const supervisors: ControlSupervisor[] = [];
afterEach(async () => {
  for (const supervisor of supervisors.splice(0)) await supervisor.stop();
});

/** A control thread whose code is given; it finds `port` and `stopped()` there. */
function supervise(code: string) {
  const commits: number[] = [];
  const lines: string[] = [];
  const counts = { restarts: 0 };
  const holder = new TableHolder();
  const receiver = new DataPlaneReceiver({
    registry: new UpstreamRegistry({ random: () => 0, now: () => 0 }),
    holder,
    onCommit: () => commits.push(holder.current.generation),
    onReport: () => {},
  });
  const say = (fields: object, message: string): void => {
    const { err } = fields as { err?: Error };
    lines.push(err === undefined ? message : `${message}: ${err.message}`);
  };
  const source = { kind: "files", dir: "" } as const;
  const module = `import { parentPort as port } from "node:worker_threads";
    const stopped = () => port.on("message", ({ kind }) => kind === "stop" && port.close());
    ${code}`;
  const supervisor = new ControlSupervisor({
    entry: new URL(`data:text/javascript,${encodeURIComponent(module)}`),
    config: {
      source,
      version: "0",
      graph: graphOptions({ ...FOLDER_RULES, source }),
      dnsIntervalMs: 1,
      logLevel: "info",
    },
    receiver,
    log: { debug: say, info: say, warn: say, error: say },
    now: () => performance.now(),
    random: () => 0,
    onRestart: () => counts.restarts++,
  });
  supervisors.push(supervisor);
  supervisor.start();
  return { supervisor, commits, lines, counts, holder };
}

test("a control thread that crashes is logged and started again, and what it said stays in force", async () => {
  const { commits, lines, counts, holder } = supervise(`
    port.postMessage({ kind: "begin" });
    port.postMessage({ kind: "commit", generation: 1 });
    port.once("message", () => port.once("message", () => { throw new Error("boom"); }));`);
  await vi.waitFor(() => expect(counts.restarts).toBeGreaterThanOrEqual(1), 10_000);
  expect(lines).toContain("the control thread failed: boom");
  expect(holder.current.generation).toBeGreaterThanOrEqual(1);
  await vi.waitFor(() => expect(commits).toEqual(expect.arrayContaining([1, 2])), 10_000);
});

test("a control thread is told that the process is leaving, and one that is started later as well", async () => {
  const { supervisor, commits, counts } = supervise(`
    port.postMessage({ kind: "begin" });
    port.on("message", ({ kind }) => {
      if (kind !== "leaving") return;
      port.postMessage({ kind: "commit", generation: 7 });
      setTimeout(() => process.exit(1), 50);
    });`);
  supervisor.leave();
  await vi.waitFor(() => expect(commits).toHaveLength(1), 10_000);
  await vi.waitFor(() => expect(counts.restarts).toBeGreaterThanOrEqual(1), 10_000);
  await vi.waitFor(() => expect(commits.length).toBeGreaterThanOrEqual(2), 10_000);
});

test("one that ends without an error is started again too", async () => {
  const { counts, lines } = supervise("port.close();");
  await vi.waitFor(() => expect(counts.restarts).toBeGreaterThanOrEqual(1), 10_000);
  expect(lines[0]).toMatch(/ended; what it said last is served/);
});

test("stop asks the thread to end, and it is not started again", async () => {
  const { supervisor, lines, commits } = supervise(
    `stopped(); port.postMessage({ kind: "begin" }); port.postMessage({ kind: "commit", generation: 1 });`,
  );
  await vi.waitFor(() => expect(commits).toEqual([1]), 10_000);
  await supervisor.stop();
  expect(lines).toEqual([]);
});

test("one that does not listen is ended all the same", async () => {
  const { supervisor, lines } = supervise("setInterval(() => {}, 1000);");
  await supervisor.stop();
  expect(lines).toEqual([]);
});

test("the pause before a restart grows from 100 ms to half a minute, less up to a quarter", () => {
  expect([1, 2, 3, 9, 10, 1_000].map((failures) => restartDelay(failures, 0))).toEqual([
    100, 200, 400, 25_600, 30_000, 30_000,
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const full = restartDelay(failures, 0);
      expect(restartDelay(failures, random)).toBeGreaterThanOrEqual(full * 0.75);
      expect(restartDelay(failures, random)).toBeLessThanOrEqual(full);
    }),
  );
});
