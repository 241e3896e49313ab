import { once } from "node:events";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { type LogLine, proxyTo } from "./fixtures/holdfast.ts";
import { HoldfastAsPidOne, whyNoPidOne } from "./fixtures/pid-one.ts";
import { RolloutBackend } from "./fixtures/rollout-backend.ts";
import { RolloutClients } from "./fixtures/rollout-clients.ts";
import { failedHandshakes, figuresOf, paceFaults, uncleanCloses } from "./fixtures/rollout-judge.ts";
import { machineMs } from "./fixtures/rollout-records.ts";

const GRACE_MS = 500;

interface Size {
  readonly count: number;
  readonly deadlineMs: number;
  readonly processes: number;
}

/** 9,000 are as many as a process with 20,000 descriptors takes. */
const SIZES: readonly Size[] = [
  { count: 10, deadlineMs: 4_500, processes: 1 },
  { count: 1_000, deadlineMs: 5_500, processes: 1 },
  { count: 9_000, deadlineMs: 16_500, processes: 2 },
];

/** The log says once a second how many tunnels are left, and these become fewer. */
function expectProgress(log: readonly LogLine[], { count, deadlineMs }: Size): void {
  const left = log.flatMap((line) => (line.msg === "closing tunnels" && "left" in line ? [Number(line["left"])] : []));
  // None in the time that the last ones have for their last message.
  expect(left.length).toBeGreaterThanOrEqual(Math.floor(((deadlineMs - GRACE_MS) * 0.8) / 1_000) - 1);
  expect(left.filter((each, index) => each >= (left[index - 1] ?? count))).toEqual([]);
}

test.for(SIZES)(
  "$count tunnels are closed with 1012, evenly from the grace to the deadline, and the exit code is 0",
  async (size, { annotate }) => {
    const { count, deadlineMs, processes } = size;
    await using things = new AsyncDisposableStack();
    const backends = await Promise.all(["x", "y"].map((name) => RolloutBackend.start(name, "graceful", 0)));
    for (const backend of backends) things.use(backend);
    const { holdfast, http } = await proxyTo(
      backends.map(({ target }) => target),
      ["--shutdown-grace", `${GRACE_MS}ms`, "--shutdown-deadline", `${deadlineMs}ms`],
    );
    things.use(holdfast);
    const clients = things.use(new RolloutClients({ url: `ws://${http}`, talkMs: 0, processes, comesBack: false }));
    await clients.open(count);
    const fromMs = machineMs();
    holdfast.process.kill("SIGTERM");
    await expect.poll(() => holdfast.process.exitCode, { timeout: 2 * deadlineMs, interval: 20 }).toBe(0);
    const tookMs = machineMs() - fromMs;
    await expect
      .poll(async () => (await clients.records()).filter(({ closed }) => closed === undefined).length)
      .toBe(0);
    const tunnels = await clients.records();
    await annotate(`${figuresOf(tunnels, fromMs)}, exit after ${Math.round(tookMs)} ms`);
    expect(tunnels).toHaveLength(count);
    expect(failedHandshakes(tunnels)).toEqual([]);
    expect(uncleanCloses(tunnels, 1_012)).toEqual([]);
    expect(paceFaults(tunnels, { fromMs: fromMs + GRACE_MS, untilMs: fromMs + deadlineMs })).toEqual([]);
    expect(tookMs).toBeLessThan(deadlineMs + 1_000);
    expectProgress(holdfast.log, size);
  },
);

/** Ten tunnels, and the order in which something was last said on them. */
async function tenTunnels(http: string): Promise<{ readonly lastSaid: number[]; readonly closed: number[] }> {
  const closed: number[] = [];
  const sockets = Array.from({ length: 10 }, () => new WebSocket(`ws://${http}/`));
  await Promise.all(sockets.map((socket) => once(socket, "open")));
  for (const [index, socket] of sockets.entries()) {
    socket.on("error", () => {});
    socket.on("close", () => closed.push(index));
  }
  const lastSaid = [3, 7, 0, 9, 1, 5, 8, 2, 6, 4];
  for (const index of lastSaid) {
    const before = machineMs();
    // Far enough from one to the next for a coarse clock.
    while (machineMs() < before + 100) {
      sockets[index]!.send("ping");
      await once(sockets[index]!, "message");
    }
  }
  return { lastSaid, closed };
}

test("the idlest are closed first", async () => {
  await using backend = await ArticleBackend.start(0);
  const times = ["--shutdown-grace", "0s", "--shutdown-deadline", "2s"];
  const { holdfast, http } = await proxyTo([`127.0.0.1:${backend.port}`], times);
  await using _ = holdfast;
  const { lastSaid, closed } = await tenTunnels(http);
  holdfast.process.kill("SIGTERM");
  await expect.poll(() => closed, { timeout: 10_000 }).toHaveLength(10);
  expect(closed).toEqual(lastSaid);
});

const isSkipped = whyNoPidOne() !== undefined && process.env["CI"] !== "true";

/** A Holdfast as process 1 that has these times, with ten tunnels. */
async function asPidOne(deadline: string) {
  await using things = new AsyncDisposableStack();
  const backend = things.use(await RolloutBackend.start("x", "graceful", 0));
  const times = ["--shutdown-grace", "0s", "--shutdown-deadline", deadline];
  const args = ["proxy", "--to", backend.target, "--http", "127.0.0.1:0", "--admin", "off", ...times];
  const holdfast = things.use(new HoldfastAsPidOne(args));
  const clients = new RolloutClients({ url: `ws://${await holdfast.http()}`, talkMs: 0, comesBack: false });
  things.use(clients);
  await clients.open(10);
  expect(await holdfast.line("holdfast starts")).toMatchObject({ pid: 1 });
  const moved = things.move();
  return { holdfast, clients, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

test.skipIf(isSkipped)("as process 1 of a container it ends in the same way", async () => {
  await using stage = await asPidOne("3s");
  const fromMs = machineMs();
  stage.holdfast.kill("SIGTERM");
  expect(await stage.holdfast.exitCode()).toBe(0);
  const tunnels = await stage.clients.records();
  expect(uncleanCloses(tunnels, 1_012)).toEqual([]);
  expect(tunnels.filter(({ told }) => told !== undefined)).toHaveLength(10);
  expect(paceFaults(tunnels, { fromMs, untilMs: fromMs + 3_000 })).toEqual([]);
});

test.skipIf(isSkipped)("as process 1 it is cut by a second SIGTERM", async () => {
  await using stage = await asPidOne("600s");
  stage.holdfast.kill("SIGTERM");
  await stage.holdfast.line("stopped listening");
  expect((await stage.clients.records()).filter(({ closed }) => closed !== undefined).length).toBeLessThan(2);
  stage.holdfast.kill("SIGTERM");
  await stage.holdfast.exitCode();
  await expect
    .poll(async () => (await stage.clients.records()).filter(({ closed }) => closed === undefined))
    .toEqual([]);
});
