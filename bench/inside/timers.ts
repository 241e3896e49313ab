import { type TimerHandle, TimerWheel } from "../../src/relay/index.ts";
import type { Scenario, Work } from "./scenario.ts";

const PENDING = 9_000;
const STEPS = 20_000;
const HOUR_MS = 3_600_000;
/** A client that stays silent is asked so long after its answer, and judged so long after the question. */
const SILENCE_MS = 28_500;
const TIMEOUT_MS = 20_000;
/** Timers that come and go at a time, as handshakes do. */
const YOUNG = 1_024;

interface BusyWheel {
  readonly wheel: TimerWheel;
  readonly clock: { ms: number };
  readonly fired: () => number;
}

/** A wheel with the idle timers of 9,000 tunnels, an hour each, set anew when they fire. The clock stands unless moved. */
function busyWheel(): BusyWheel {
  const clock = { ms: 1_000 };
  const wheel = new TimerWheel({ now: () => clock.ms });
  let fired = 0;
  const idle = (): void => {
    fired += 1;
    wheel.schedule(HOUR_MS, idle);
  };
  for (let n = 0; n < PENDING; n++) wheel.schedule((n * HOUR_MS) / PENDING, idle);
  return { wheel, clock, fired: () => fired };
}

function scheduling(): Work {
  const { wheel } = busyWheel();
  const young: (TimerHandle | undefined)[] = Array.from({ length: YOUNG }, () => undefined);
  const callback = (): void => {};
  return {
    run: () => {
      for (let n = 0; n < STEPS; n++) {
        wheel.cancel(young[n % YOUNG]);
        young[n % YOUNG] = wheel.schedule(10_000 + (n % 1_000), callback);
      }
      return wheel.size;
    },
    expected: PENDING + YOUNG,
  };
}

function advancing(): Work {
  const { wheel, clock, fired } = busyWheel();
  return {
    run: () => {
      const before = fired();
      for (let n = 0; n < STEPS; n++) {
        clock.ms += wheel.tickMs;
        wheel.advance(clock.ms);
      }
      return fired() > before ? wheel.size : -1;
    },
    expected: PENDING,
  };
}

/** Besides, a client of each tunnel is silent but for its Pongs: two timers for each Ping, one after the other. */
function advancingKeepalives(): Work {
  const { wheel, clock } = busyWheel();
  let asked = 0;
  const silence = (): void => {
    asked += 1;
    wheel.schedule(TIMEOUT_MS, () => wheel.schedule(SILENCE_MS - TIMEOUT_MS, silence));
  };
  for (let n = 0; n < PENDING; n++) wheel.schedule((n * SILENCE_MS) / PENDING, silence);
  return {
    run: () => {
      const before = asked;
      for (let n = 0; n < STEPS; n++) {
        clock.ms += wheel.tickMs;
        wheel.advance(clock.ms);
      }
      return asked - before > (PENDING * STEPS * wheel.tickMs) / SILENCE_MS / 2 ? wheel.size : -1;
    },
    expected: 2 * PENDING,
  };
}

/** What the one timer of all tunnels and handshakes costs, without the clock that it reads. */
export function scenarios(): readonly Scenario[] {
  return [
    { name: "timer, schedule and cancel, 9,000 pending", unit: "ns", units: STEPS, setup: scheduling },
    { name: "timer, advance by a tick, 9,000 pending", unit: "ns", units: STEPS, setup: advancing },
    {
      name: "timer, advance by a tick, 9,000 pending and 9,000 of keepalive",
      unit: "ns",
      units: STEPS,
      setup: advancingKeepalives,
    },
  ];
}
