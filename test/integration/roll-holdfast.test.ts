import { expect, test } from "vitest";
import { HoldfastProcess, started } from "./fixtures/holdfast.ts";
import { RolloutBackend } from "./fixtures/rollout-backend.ts";
import { RolloutClients } from "./fixtures/rollout-clients.ts";
import {
  brokenTalk,
  failedHandshakes,
  figuresOf,
  isClosedByOthers,
  missingClients,
  paceFaults,
  rushFaults,
  uncleanCloses,
} from "./fixtures/rollout-judge.ts";
import { machineMs, type Moment } from "./fixtures/rollout-records.ts";
import { type Slot, TcpBalancer, whyNoBalancer } from "./fixtures/tcp-balancer.ts";

const CLIENTS = 1_000;
/** Visits: so many that the process which leaves is given some before the balancer knows. */
const NEW_PER_SECOND = 30;
const TALK_MS = 1_000;
const GRACE_MS = 3_000;
const DEADLINE_MS = 13_000;
/** The closing handshakes of those that were told last. */
const LAST_WORDS_MS = 500;

/** The longest rest of a client before it comes back. */
const JITTER_MS = 1_000;

const isSkipped = whyNoBalancer() !== undefined && process.env["CI"] !== "true";

/** When a process was told to end, and when it had. */
interface Roll {
  readonly fromMs: number;
  readonly untilMs: number;
}

function isWithin(moment: Moment | undefined, fromMs: number, untilMs: number): boolean {
  return moment !== undefined && moment.atMs >= fromMs && moment.atMs <= untilMs;
}

async function startAt({ http, admin }: Slot, backends: readonly RolloutBackend[]): Promise<HoldfastProcess> {
  const to = backends.flatMap(({ target }) => ["--to", target]);
  const times = ["--shutdown-grace", `${GRACE_MS}ms`, "--shutdown-deadline", `${DEADLINE_MS}ms`];
  const { holdfast } = await started(
    new HoldfastProcess(["proxy", ...to, "--http", http, "--admin", admin, ...times], {}),
  );
  return holdfast;
}

test.skipIf(isSkipped)(
  `two processes behind HAProxy are replaced one after the other under ${CLIENTS} clients: each close is a clean 1012 at the pace, and no handshake fails`,
  async ({ annotate }) => {
    await using things = new AsyncDisposableStack();
    const backends = await Promise.all(["x", "y"].map((name) => RolloutBackend.start(name, "graceful", TALK_MS)));
    for (const backend of backends) things.use(backend);
    const balancer = things.use(await TcpBalancer.start());
    const [a, b, c] = balancer.slots as [Slot, Slot, Slot];
    const running = new Map<Slot, HoldfastProcess>();
    for (const slot of [a, b]) running.set(slot, things.use(await startAt(slot, backends)));
    await balancer.untilUp([a, b]);
    const clients = things.use(new RolloutClients({ url: `ws://${balancer.address}`, talkMs: TALK_MS }));
    await clients.open(CLIENTS);
    await clients.trickle(NEW_PER_SECOND);

    const rolls: Roll[] = [];
    for (const { old, fresh, left } of [
      { old: a, fresh: c, left: [b, c] },
      { old: b, fresh: a, left: [a, c] },
    ]) {
      things.use(await startAt(fresh, backends));
      await balancer.untilUp([a, b, c]);
      const leaving = running.get(old)?.process;
      const fromMs = machineMs();
      leaving?.kill("SIGTERM");
      await expect.poll(() => leaving?.exitCode, { timeout: 2 * DEADLINE_MS, interval: 20 }).toBe(0);
      rolls.push({ fromMs, untilMs: machineMs() });
      await balancer.untilUp(left);
    }
    await clients.trickle(0);
    await expect
      .poll(async () => missingClients(await clients.records()), { timeout: 20_000, interval: 200 })
      .toEqual([]);
    const tunnels = await clients.finish();

    expect(failedHandshakes(tunnels)).toEqual([]);
    expect(uncleanCloses(tunnels, 1_012)).toEqual([]);
    const backendRecords = backends.flatMap(({ records }) => records);
    expect(brokenTalk(tunnels, backendRecords, TALK_MS)).toEqual([]);
    const closed = tunnels.filter(isClosedByOthers);
    const returns = tunnels.filter(({ isReturn }) => isReturn).map(({ began }) => began);
    expect(returns).toHaveLength(closed.filter(({ isVisit }) => !isVisit).length);
    let judged = 0;
    for (const { fromMs, untilMs } of rolls) {
      const ofRoll = closed.filter((tunnel) => isWithin(tunnel.closed, fromMs, untilMs + LAST_WORDS_MS));
      judged += ofRoll.length;
      await annotate(`${figuresOf(ofRoll, fromMs)}, exit after ${Math.round(untilMs - fromMs)} ms`);
      expect(ofRoll.length).toBeGreaterThan(CLIENTS / 3);
      const spread = { fromMs: fromMs + GRACE_MS, untilMs: fromMs + DEADLINE_MS };
      expect(paceFaults(ofRoll, spread)).toEqual([]);
      // They come back with jitter, so never faster than they were closed, but for chance: three standard deviations.
      const back = returns.filter((began) => isWithin(began, fromMs, untilMs + JITTER_MS + LAST_WORDS_MS));
      expect(back.length).toBe(ofRoll.filter(({ isVisit }) => !isVisit).length);
      expect(rushFaults(back, spread, 3 * Math.sqrt((back.length * 1_000) / (DEADLINE_MS - GRACE_MS)))).toEqual([]);
      expect(untilMs - fromMs).toBeLessThan(DEADLINE_MS + 1_000);
    }
    expect(judged).toBe(closed.length);
    expect(new Set(tunnels.map(({ backend }) => backend))).toEqual(new Set(["x", "y"]));
  },
);
