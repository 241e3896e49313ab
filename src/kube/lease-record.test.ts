import { describe, expect, test } from "vitest";
import { giveUpLease, heldMs, holdLease, isSameLease, readLease } from "./lease-record.ts";

const lease = (spec?: unknown): object => ({
  metadata: { name: "holdfast", resourceVersion: "9", labels: { a: "b" } },
  spec,
});
const held = {
  holderIdentity: "other",
  leaseDurationSeconds: 15,
  acquireTime: "2026-01-01T00:00:00.000000Z",
  renewTime: "2026-01-01T00:00:10.000000Z",
  leaseTransitions: 3,
};
const wallMs = Date.UTC(2026, 5, 1);
const time = "2026-06-01T00:00:00.000000Z";

describe("what is written", () => {
  test("to take it names the new holder and its time, counts the change, and leaves the rest as it is", () => {
    const body = holdLease(readLease(lease({ ...held, strategy: "x" })), {
      identity: "me",
      durationMs: 15_000,
      wallMs,
    });
    expect(body).toEqual({
      metadata: { name: "holdfast", resourceVersion: "9", labels: { a: "b" } },
      spec: {
        holderIdentity: "me",
        leaseDurationSeconds: 15,
        acquireTime: time,
        renewTime: time,
        leaseTransitions: 4,
        strategy: "x",
      },
    });
  });

  test("to renew it keeps since when, and counts no change", () => {
    const body = holdLease(readLease(lease({ ...held, holderIdentity: "me" })), {
      identity: "me",
      durationMs: 15_000,
      wallMs,
    });
    expect(body["spec"]).toMatchObject({ acquireTime: held.acquireTime, renewTime: time, leaseTransitions: 3 });
  });

  test.for([{ spec: undefined }, { spec: {} }, { spec: null }])(
    "to take what nobody ever held ($spec) counts none",
    ({ spec }) => {
      const body = holdLease(readLease(lease(spec)), { identity: "me", durationMs: 400, wallMs });
      expect(body["spec"]).toMatchObject({ leaseTransitions: 0, leaseDurationSeconds: 1 });
    },
  );

  test("to give it up leaves it to whoever comes first", () => {
    const record = readLease(giveUpLease(readLease(lease({ ...held, holderIdentity: "me" })), wallMs));
    expect(record).toMatchObject({ holder: "", transitions: 3 });
    expect(heldMs(record, 15_000)).toBe(0);
    expect(holdLease(record, { identity: "other", durationMs: 15_000, wallMs })["spec"]).toMatchObject({
      leaseTransitions: 4,
    });
  });
});

test.for<{ name: string; spec: unknown; ms: number }>([
  { name: "as long as it says", spec: held, ms: 15_000 },
  { name: "not at all when it was given up", spec: { ...held, holderIdentity: "", leaseDurationSeconds: 1 }, ms: 0 },
  { name: "not at all when nobody ever held it", spec: {}, ms: 0 },
  { name: "as long as it says when a name was emptied by hand", spec: { ...held, holderIdentity: "" }, ms: 15_000 },
  { name: "as long as ours when it does not say", spec: { ...held, leaseDurationSeconds: undefined }, ms: 7000 },
  { name: "a minute at most", spec: { ...held, leaseDurationSeconds: 86_400 }, ms: 60_000 },
  { name: "as long as ours when it says nonsense", spec: { ...held, leaseDurationSeconds: -4 }, ms: 7000 },
  { name: "as long as ours when it says it in words", spec: { ...held, leaseDurationSeconds: "long" }, ms: 7000 },
])("a lease is held $name", ({ spec, ms }) => {
  expect(heldMs(readLease(lease(spec)), 7000)).toBe(ms);
});

test("it is the same until somebody touches who holds it, since when or for how long", () => {
  const record = readLease(lease(held));
  expect(isSameLease(record, readLease({ ...lease(held), metadata: { resourceVersion: "10" } }))).toBe(true);
  for (const change of [
    { holderIdentity: "me" },
    { leaseDurationSeconds: 16 },
    { acquireTime: time },
    { renewTime: time },
    { leaseTransitions: 4 },
  ]) {
    expect(isSameLease(record, readLease(lease({ ...held, ...change })))).toBe(false);
  }
});

test.for([null, "x", 7, [], { spec: [] }, { spec: { holderIdentity: 7, renewTime: {} } }])(
  "%j is an empty one",
  (odd) => {
    expect(readLease(odd)).toMatchObject({ holder: "", renewTime: "", transitions: 0 });
  },
);
