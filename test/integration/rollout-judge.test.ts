import { describe, expect, test } from "vitest";
import {
  brokenTalk,
  busiestSecond,
  failedHandshakes,
  missingClients,
  paceFaults,
  perSecond,
  strayHandshakes,
  uncleanCloses,
} from "./fixtures/rollout-judge.ts";
import type { BackendRecord, Moment, TunnelRecord } from "./fixtures/rollout-records.ts";

/** The tests of rollouts and shutdowns are worth as much as their judge: it has to see each thing that may go wrong. */

const DRAIN = { fromMs: 1_000, untilMs: 11_000 };

/** Seen by a thread that has nothing else to do. */
function at(atMs: number): Moment {
  return { sinceMs: atMs, atMs };
}

function closedAt(moment: Moment): TunnelRecord {
  return tunnel({ told: moment, closed: moment });
}

/** One each 50 ms for 8 of the drain's 10 s, as it is spread where the last fifth is left free. */
function evenTimes(): number[] {
  return Array.from({ length: 160 }, (_, index) => DRAIN.fromMs + 25 + index * 50);
}

function tunnel(fields: Partial<TunnelRecord> = {}): TunnelRecord {
  return {
    id: "a1-1",
    isReturn: false,
    isVisit: false,
    began: at(0),
    failure: undefined,
    backend: "old-1",
    leftAtMs: undefined,
    told: at(5_000),
    closed: at(5_000),
    code: 1_012,
    isClean: true,
    sent: 20,
    received: 20,
    faults: [],
    ...fields,
  };
}

function seenByBackend(fields: Partial<BackendRecord> = {}): BackendRecord {
  return {
    id: "a1-1",
    backend: "old-1",
    beganAtMs: 10,
    closedAtMs: 5_001,
    code: 1_001,
    isClean: true,
    sent: 21,
    received: 20,
    faults: [],
    ...fields,
  };
}

describe("the pace", () => {
  test("an even spread is fine", () => {
    expect(paceFaults(evenTimes().map(at).map(closedAt), DRAIN)).toEqual([]);
  });

  test("ten closes are fine wherever in their slots they lie", () => {
    const slots = Array.from({ length: 10 }, (_, index) => DRAIN.fromMs + 800 * index);
    expect(
      paceFaults(slots.map((slot, index) => at(slot + (index % 2 === 0 ? 600 : 200))).map(closedAt), DRAIN),
    ).toEqual([]);
  });

  test.for([
    { name: "all at once", of: (times: number[]) => times.map(() => 5_000), says: "160 in one second" },
    { name: "all in half of the time", of: (times: number[]) => times.map((time) => time / 2 + 500), says: "40 in" },
    {
      name: "fifteen in one place",
      of: (times: number[]) => [...times, ...Array(15).fill(5_000)],
      says: "35 in one second",
    },
    { name: "one before it began", of: (times: number[]) => [900, ...times], says: "1 too early, by up to 100 ms" },
    { name: "one after its time", of: (times: number[]) => [...times, 11_200], says: "1 too late, by up to 200 ms" },
  ])("$name is seen", ({ of, says }) => {
    expect(paceFaults(of(evenTimes()).map(at).map(closedAt), DRAIN).join()).toContain(says);
  });

  test("one that was told in time and was over late is late", () => {
    const late = tunnel({ told: at(10_900), closed: at(11_300) });
    expect(paceFaults([late], DRAIN)).toEqual(["1 too late, by up to 300 ms"]);
  });

  test("a late thread is not blamed on who closed", () => {
    const late = evenTimes().map((time) => (time > 4_000 && time < 4_600 ? { sinceMs: 4_000, atMs: 4_600 } : at(time)));
    expect(paceFaults(late.map(closedAt), DRAIN)).toEqual([]);
    // Told in time, and over in time as far as can be known.
    expect(paceFaults([closedAt({ sinceMs: 10_990, atMs: 11_100 })], DRAIN)).toEqual([]);
  });

  test("a second is counted wherever it begins", () => {
    expect(busiestSecond([0, 900, 1_500, 1_600, 1_899, 1_900, 2_600].map(at))).toBe(4);
    expect(perSecond([100, 900, 3_500].map(at), 0)).toEqual([2, 0, 0, 1]);
  });
});

describe("closes", () => {
  test("a clean one with the code is fine, and so is one of the client's own", () => {
    expect(uncleanCloses([tunnel(), tunnel({ leftAtMs: 4_999, code: 1_000 })], 1_012)).toEqual([]);
    expect(
      uncleanCloses([tunnel({ told: undefined, closed: undefined, code: undefined, isClean: undefined })], 1_012),
    ).toEqual([]);
  });

  test.for([{ code: 1_006, isClean: false }, { isClean: false }, { code: 1_001 }, { code: 4_000 }])(
    "%o is seen",
    (fields) => {
      expect(uncleanCloses([tunnel(fields)], 1_012)).toHaveLength(1);
    },
  );
});

describe("handshakes", () => {
  const LEAVING = { backend: "old-1", toldAtMs: 90, heardAtMs: 100 };

  test("one that began before the proxy knew may land, and any may land elsewhere", () => {
    expect(strayHandshakes([tunnel({ began: at(99) })], [seenByBackend({ beganAtMs: 101 })], [LEAVING])).toEqual([]);
    const elsewhere = seenByBackend({ backend: "new-1", beganAtMs: 300 });
    expect(strayHandshakes([tunnel({ began: at(299) })], [elsewhere], [LEAVING])).toEqual([]);
  });

  test("one that began later and landed there is seen, also when its client saw no greeting", () => {
    const late = [tunnel({ began: at(101), backend: "" })];
    expect(strayHandshakes(late, [seenByBackend({ beganAtMs: 110 })], [LEAVING])).toHaveLength(1);
  });

  test.for([{ failure: "answered with 503" }, { failure: "connect ECONNREFUSED" }, { backend: "" }])(
    "%o has failed",
    (fields) => {
      expect(failedHandshakes([tunnel(fields)])).toHaveLength(1);
    },
  );

  test("a client that is not back is missing, one that came back is not", () => {
    const back = tunnel({ id: "a1-2", isReturn: true, closed: undefined });
    expect(missingClients([tunnel(), back])).toEqual([]);
    expect(missingClients([tunnel({ id: "a2-1" }), tunnel(), back])).toHaveLength(1);
    expect(missingClients([tunnel({ id: "a3-1", isVisit: true })])).toEqual([]);
  });
});

describe("talk", () => {
  test("what was on its way when a tunnel ended may be lost", () => {
    expect(brokenTalk([tunnel()], [seenByBackend()], 250)).toEqual([]);
  });

  test("so may what a killed backend could not tell", () => {
    expect(brokenTalk([tunnel()], [seenByBackend({ closedAtMs: undefined, sent: 0, received: 0 })], 250)).toEqual([]);
  });

  test.for([
    { name: "a gap that the client saw", client: { faults: ["expected d2, got d3"] }, backend: {} },
    { name: "a gap that the backend saw", client: {}, backend: { faults: ["expected u2, got u1"] } },
    { name: "more than was on its way", client: { received: 12 }, backend: {} },
    { name: "more than was on its way up", client: {}, backend: { received: 11 } },
    { name: "more than was sent", client: { received: 22 }, backend: {} },
  ])("$name is seen", ({ client, backend }) => {
    expect(brokenTalk([tunnel(client)], [seenByBackend(backend)], 250)).toHaveLength(1);
  });
});
