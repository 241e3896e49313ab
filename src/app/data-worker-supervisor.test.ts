import { afterEach, expect, test, vi } from "vitest";
import type { ThreadCounts } from "../telemetry/index.ts";
import type { Config } from "./config.ts";
import { DataWorkerSupervisor } from "./data-worker-supervisor.ts";
import { ListenError } from "./listen.ts";

const SLOW = { timeout: 10_000 };
const PLAN = { graceMs: 0, deadlineMs: 0, spreadMs: 0 };
const PLACE = { address: "127.0.0.1", port: 1 };

const supervisors: DataWorkerSupervisor[] = [];
afterEach(async () => {
  for (const supervisor of supervisors.splice(0)) await supervisor.close();
});

/** A worker whose code is given: what it does on an order, by `on.<kind>`; it ends on close. */
function supervise(code: string) {
  const lines: string[] = [];
  const written: string[] = [];
  const lost: (ThreadCounts | undefined)[] = [];
  const counts = { restarts: 0 };
  const say = (fields: object, message: string): void => {
    const { err } = fields as { err?: Error };
    lines.push(err === undefined ? message : `${message}: ${err.message}`);
  };
  const module = `import { parentPort as port } from "node:worker_threads";
    const on = { close: () => port.close() };
    const tell = (kind, fields) => port.postMessage({ kind, ...fields });
    port.on("message", (order) => on[order.kind]?.(order));
    ${code}`;
  const supervisor = new DataWorkerSupervisor({
    entry: new URL(`data:text/javascript,${encodeURIComponent(module)}`),
    start: { thread: 1, config: {} as Config, pseudonym: "", isTerminal: false, listeners: [] },
    log: { debug: say, info: say, warn: say, error: say },
    sink: { write: (line) => void written.push(line) },
    now: () => performance.now(),
    random: () => 0,
    onLost: (last) => void lost.push(last),
    onRestart: () => counts.restarts++,
  });
  supervisors.push(supervisor);
  supervisor.start();
  return { supervisor, lines, written, lost, counts };
}

test("a worker that crashes is logged and started again, and what it had counted is handed over", async () => {
  const { supervisor, lines, lost, counts } = supervise(`
    let asked = 0;
    on.count = () => {
      if (++asked === 2) throw new Error("boom");
      tell("rules", { rules: [{ open: 1 }] });
      tell("rules", { rules: [{ open: 2 }] });
      tell("counts", { counts: { thread: 1, rules: [] } });
    };`);
  const counted = { thread: 1, rules: [{ open: 1 }, { open: 2 }] };
  await supervisor.count();
  expect(supervisor.lastCounts).toEqual(counted);
  await supervisor.count();
  expect(supervisor.lastCounts).toBeUndefined();
  expect(lost).toEqual([counted]);
  expect(lines[0]).toBe("a data thread failed: boom");
  expect(lines[1]).toMatch(/ended, and its tunnels with it/);
  await vi.waitFor(() => expect(counts.restarts).toBe(1), SLOW);
  await supervisor.count();
  expect(supervisor.lastCounts).toEqual(counted);
});

test("one that was started again listens where it did before, and its drain is waited for", async () => {
  const { supervisor, lines, counts, written } = supervise(`
    on.listen = ({ at }) => { tell("log", { lines: [at.address] }); tell("listening"); };
    on.count = () => process.exit(1);
    on.drain = () => setTimeout(() => { tell("log", { lines: ["drained"] }); tell("drained"); }, 100);`);
  await supervisor.listen(PLACE);
  await supervisor.count();
  await vi.waitFor(() => expect(counts.restarts).toBe(1), SLOW);
  await vi.waitFor(() => expect(written).toEqual([PLACE.address, PLACE.address]), SLOW);
  await supervisor.drain(PLAN);
  expect(written.at(-1)).toBe("drained");
  expect(lines.filter((line) => line === "a data thread listens")).toHaveLength(2);
});

test("one that cannot listen is said in its words", async () => {
  const { supervisor } = supervise(`on.listen = () => tell("cannotListen", { text: "the port is in use" });`);
  await expect(supervisor.listen(PLACE)).rejects.toThrow(new ListenError("the port is in use"));
});

test("one that ends while the process is leaving is not started again, and holds nobody up", async () => {
  const { supervisor, lines, lost } = supervise("on.drain = () => process.exit(1);");
  await supervisor.drain(PLAN);
  await supervisor.close();
  expect([lines, lost]).toEqual([[], []]);
});

test("lines are acknowledged when they are taken", async () => {
  const { written } = supervise(`
    let batch = 0;
    on.logged = () => batch < 3 && tell("log", { lines: [String(++batch)] });
    on.logged();`);
  await vi.waitFor(() => expect(written).toEqual(["1", "2", "3"]), SLOW);
});
