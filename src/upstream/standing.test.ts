import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Endpoint } from "../routing/index.ts";
import { departureOf, listFacts, type Standing, standingOf } from "./standing.ts";

function endpoint(change: Partial<Endpoint> = {}): Endpoint {
  return {
    address: "10.0.0.1",
    port: 80,
    podUid: undefined,
    ready: true,
    serving: true,
    terminating: false,
    ...change,
  };
}

const READY = endpoint();
const UNREADY = endpoint({ ready: false });
const TERMINATING = endpoint({ ready: false, terminating: true });
const STANDINGS: readonly Standing[] = ["serving", "unready", "terminating", "vanished", "unlisted"];

describe("how a backend stands", () => {
  test.for([
    { name: "listed and ready it serves", listed: READY, want: "serving" },
    { name: "listed and not ready it is unready", listed: UNREADY, want: "unready" },
    { name: "listed as terminating it is terminating", listed: TERMINATING, want: "terminating" },
    {
      name: "listed as terminating it is terminating though it is ready",
      listed: endpoint({ terminating: true }),
      want: "terminating",
    },
    {
      name: "listed and not ready it is unready though it serves",
      listed: endpoint({ ready: false, serving: true }),
      want: "unready",
    },
  ] as const)("$name, however it stood before", ({ listed, want }) => {
    for (const before of STANDINGS) expect(standingOf(listed, before, listFacts([listed, READY]))).toBe(want);
  });

  test.for([
    { before: "serving", others: "vanished", empty: "unlisted" },
    { before: "unready", others: "vanished", empty: "unlisted" },
    { before: "vanished", others: "vanished", empty: "unlisted" },
    { before: "unlisted", others: "vanished", empty: "unlisted" },
    { before: "terminating", others: "terminating", empty: "terminating" },
  ] as const)("$before and gone from the list: $others where the list has others, else $empty", (row) => {
    expect(standingOf(undefined, row.before, listFacts([READY]))).toBe(row.others);
    expect(standingOf(undefined, row.before, listFacts([TERMINATING]))).toBe(row.others);
    expect(standingOf(undefined, row.before, listFacts([]))).toBe(row.empty);
  });
});

describe("why its tunnels should leave it", () => {
  test.for([
    { name: "one that serves: for nothing", standing: "serving", want: undefined },
    { name: "one that nobody lists: for nothing", standing: "unlisted", want: undefined },
    { name: "one that terminates: for that", standing: "terminating", want: "terminating" },
    { name: "one that vanished: for that", standing: "vanished", want: "vanished" },
  ] as const)("$name, whatever the others are", ({ standing, want }) => {
    for (const list of [[], [READY], [UNREADY, UNREADY], [TERMINATING, UNREADY]]) {
      expect(departureOf(standing, listFacts(list))).toBe(want);
    }
  });

  test.for([
    { name: "one of two", list: [UNREADY, READY], want: "unready" },
    { name: "the only one", list: [UNREADY], want: undefined },
    { name: "two of three", list: [UNREADY, UNREADY, READY], want: undefined },
    { name: "two of four", list: [UNREADY, UNREADY, READY, READY], want: "unready" },
    { name: "one of two that stay", list: [UNREADY, READY, TERMINATING, TERMINATING], want: "unready" },
    { name: "the only one that stays", list: [UNREADY, TERMINATING, TERMINATING], want: undefined },
  ] as const)("unready, $name: $want", ({ list, want }) => {
    expect(departureOf("unready", listFacts(list))).toBe(want);
  });

  test("an unready one is left exactly while not more than half of those that stay are unready", () => {
    const counts = fc.record({ ready: fc.nat(20), unready: fc.integer({ min: 1, max: 20 }), terminating: fc.nat(20) });
    fc.assert(
      fc.property(counts, ({ ready, unready, terminating }) => {
        const list = [
          ...Array.from({ length: ready }, () => READY),
          ...Array.from({ length: unready }, () => UNREADY),
          ...Array.from({ length: terminating }, () => TERMINATING),
        ];
        expect(departureOf("unready", listFacts(list))).toBe(unready > ready ? undefined : "unready");
      }),
    );
  });
});
