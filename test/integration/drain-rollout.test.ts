import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  brokenTalk,
  failedHandshakes,
  figuresOf,
  isClosedByOthers,
  missingClients,
  paceFaults,
  strayHandshakes,
  uncleanCloses,
} from "./fixtures/rollout-judge.ts";
import type { TunnelRecord } from "./fixtures/rollout-records.ts";
import { Rollout, TALK_MS } from "./fixtures/rollout.ts";

const CLIENTS = 500;
const WITHIN_MS = 5_000;
const CLOSE = { onBackendRemoval: "Close", within: `${WITHIN_MS}ms` };
/** An endpoint that vanishes is given up after 5 s. */
const VANISHED_MS = 5_000;
const AWAY_MS = 2_500;

/** Ends the clients when all of them are back, and answers all that they saw. */
async function allSeen(rollout: Rollout): Promise<readonly TunnelRecord[]> {
  await expect
    .poll(async () => missingClients(await rollout.clients.records()), { timeout: 20_000, interval: 200 })
    .toEqual([]);
  return await rollout.clients.finish();
}

/** What must not be, whatever the policy says. */
function faultsOf(rollout: Rollout, tunnels: readonly TunnelRecord[]): readonly string[] {
  return [
    ...failedHandshakes(tunnels),
    ...brokenTalk(tunnels, rollout.backendRecords, TALK_MS),
    ...strayHandshakes(tunnels, rollout.backendRecords, rollout.leaving),
  ];
}

/** The tunnels of one backend that were closed, those that their clients left not among them. */
function closedAt(tunnels: readonly TunnelRecord[], backend: string): readonly TunnelRecord[] {
  return tunnels.filter((tunnel) => tunnel.backend === backend && isClosedByOthers(tunnel));
}

test.for([
  { name: "exit when their tunnels are gone", ending: "graceful" as const, options: {} },
  { name: "are killed after their grace", ending: "stubborn" as const, options: { killAfterMs: WITHIN_MS + 1_000 } },
])(
  `Close, in a rollout of backends that $name: ${CLIENTS} clients get a clean 1012, evenly and in time, and no handshake lands on a backend that leaves`,
  async ({ ending, options }, { annotate }) => {
    await using rollout = await Rollout.start({ ending, drain: CLOSE, clients: CLIENTS });
    await rollout.roll(options);
    await expect.poll(() => rollout.endCauses()).toEqual(new Set(["drained"]));
    const tunnels = await allSeen(rollout);
    expect(faultsOf(rollout, tunnels)).toEqual([]);
    for (const { backend, toldAtMs, heardAtMs } of rollout.leaving) {
      const closed = closedAt(tunnels, backend);
      await annotate(`${backend}: known after ${Math.round(heardAtMs - toldAtMs)} ms; ${figuresOf(closed, toldAtMs)}`);
      expect(closed.length).toBeGreaterThan(CLIENTS / 5);
      expect(paceFaults(closed, { fromMs: toldAtMs, untilMs: heardAtMs + WITHIN_MS })).toEqual([]);
      const seen = rollout.backendRecords.filter((record) => record.backend === backend);
      expect(new Set(seen.map(({ code, isClean }) => `${code} ${isClean}`))).toEqual(new Set(["1001 true"]));
    }
    expect(uncleanCloses(tunnels, 1_012)).toEqual([]);
    expect(tunnels.filter(isClosedByOthers).filter(({ backend }) => backend.startsWith("new"))).toEqual([]);
  },
);

test(`Keep, in a rollout of backends that wait for their tunnels: none of ${CLIENTS} ends before its client leaves`, async () => {
  const drain = { onBackendRemoval: "Keep", within: "500ms" };
  await using rollout = await Rollout.start({ ending: "graceful", drain, clients: CLIENTS });
  await rollout.roll({
    meanwhile: async ({ backend }) => {
      // A drain would be over.
      await sleep(1_000);
      expect((await rollout.clients.records()).filter(isClosedByOthers)).toEqual([]);
      await rollout.clients.leave(backend);
    },
  });
  await expect.poll(() => rollout.endCauses()).toEqual(new Set(["client_close"]));
  const tunnels = await allSeen(rollout);
  expect(tunnels.filter(isClosedByOthers)).toEqual([]);
  expect(faultsOf(rollout, tunnels)).toEqual([]);
});

test.for([
  { name: "are killed", ending: "stubborn", options: { killAfterMs: 1_500 }, code: 1_012, cause: "backend_lost" },
  { name: "close their tunnels themselves", ending: "hasty", options: {}, code: 4_000, cause: "backend_close" },
] as const)(
  `without a word about drain, in a rollout of backends that $name: tunnels end by that alone, with $code`,
  async ({ ending, options, code, cause }) => {
    await using rollout = await Rollout.start({ ending, clients: CLIENTS });
    await rollout.roll(options);
    await expect.poll(() => rollout.endCauses()).toEqual(new Set([cause]));
    const tunnels = await allSeen(rollout);
    expect(uncleanCloses(tunnels, code)).toEqual([]);
    expect(faultsOf(rollout, tunnels)).toEqual([]);
  },
);

test("Close, while EndpointSlices vanish and return within 3 s: nothing is closed, also when the whole Service had none", async () => {
  const drain = { onBackendRemoval: "Close", onUnready: "Close", within: "1s" };
  await using rollout = await Rollout.start({ ending: "graceful", drain, clients: CLIENTS });
  for (const state of ["empty", "absent", "empty", "absent", "empty"] as const)
    await rollout.flap(["old-1"], state, AWAY_MS);
  await rollout.flap(["old-1", "old-2", "old-3"], "absent", AWAY_MS);
  // What was not called off would have begun by then, and be over.
  await sleep(VANISHED_MS + 1_500);
  const tunnels = await rollout.clients.finish();
  expect(tunnels.filter(isClosedByOthers)).toEqual([]);
  expect(tunnels).toHaveLength(CLIENTS);
  expect(faultsOf(rollout, tunnels)).toEqual([]);
});
