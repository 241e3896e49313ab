import fc from "fast-check";
import { expect, test } from "vitest";
import type { AdmissionPolicy } from "../routing/index.ts";
import { count, limited, Stage, type Visitor } from "./admission.fixture.ts";

/** Something that happens. Numbers choose among what there is. */
type Event =
  | { readonly kind: "arrive"; readonly rule: number; readonly count: number }
  | { readonly kind: "leave"; readonly who: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "backends"; readonly count: number }
  | { readonly kind: "edit"; readonly rule: number; readonly admission: AdmissionPolicy }
  | { readonly kind: "delete"; readonly rule: number };

const RULES = 2;
const LONGEST_HOLD_MS = 2_000;
const LONGEST_QUEUE_MS = 1_000;

const policy: fc.Arbitrary<AdmissionPolicy> = fc
  .record({
    maxTunnels: fc.integer({ min: 0, max: 6 }),
    maxTunnelsPerBackend: fc.integer({ min: 0, max: 3 }),
    handshakesPerSecond: fc.integer({ min: 0, max: 20 }),
    queueSize: fc.integer({ min: 0, max: 5 }),
    holdSize: fc.integer({ min: 0, max: 5 }),
    queueMs: fc.integer({ min: 1, max: LONGEST_QUEUE_MS }),
    holdMs: fc.integer({ min: 1, max: LONGEST_HOLD_MS }),
  })
  .map((drawn) => ({
    ...drawn,
    queueMs: drawn.queueSize === 0 ? 0 : drawn.queueMs,
    holdMs: drawn.holdSize === 0 ? 0 : drawn.holdMs,
  }));

const rule = fc.nat(RULES - 1);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("arrive" as const), rule, count: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("leave" as const), who: fc.nat(99) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 700 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("backends" as const), count: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("edit" as const), rule, admission: policy }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), rule }) },
);

const NAMES = ["a", "b"] as const;

test("whatever comes, goes and changes: no limit is passed, nobody is forgotten, overtaken or left waiting for ever", () => {
  fc.assert(
    fc.property(
      fc.array(policy, { minLength: RULES, maxLength: RULES }),
      fc.array(event, { maxLength: 60 }),
      (first, events) => {
        const stage = new Stage();
        stage.setBackends(1);
        const rules = first.map((admission, i) => limited(admission, { handshakeMs: 3_000 }, NAMES[i]));
        const visitors: Visitor[][] = [[], []];
        for (const one of events) {
          const before = visitors.map((ofRule) => count(ofRule, "admitted"));
          if (one.kind === "arrive") visitors[one.rule]!.push(...stage.arriveMany(one.count, rules[one.rule]!));
          else if (one.kind === "leave") pick(visitors.flat(), one.who)?.leave();
          else if (one.kind === "pass") stage.pass(one.ms);
          else if (one.kind === "backends") stage.setBackends(one.count);
          else if (one.kind === "edit") {
            rules[one.rule] = limited(one.admission, { handshakeMs: 3_000 }, NAMES[one.rule]);
            stage.edit(rules[one.rule]!);
          } else stage.admissions.forgetRules([rules[one.rule]!.id]);
          rules.forEach((ours, i) => check(stage, ours, visitors[i]!, before[i]!));
        }
        // Whatever still waits has its answer when its time is up.
        stage.pass(LONGEST_HOLD_MS + LONGEST_QUEUE_MS + 3_500);
        expect(visitors.flat().filter(({ state }) => state === "waiting")).toEqual([]);
        for (const visitor of visitors.flat()) visitor.leave();
        stage.settle();
        expect([...stage.registry.stats()].map(({ pending, tunnels }) => pending + tunnels)).toEqual([0]);
        expect([...stage.admissions.waiting()]).toEqual([]);
        stage.admissions.forgetRules(rules.map(({ id }) => id));
        expect([stage.admissions.size, stage.wheel.size]).toEqual([0, 0]);
      },
    ),
    { numRuns: 400 },
  );
});

function check(
  stage: Stage,
  rule: ReturnType<typeof limited>,
  visitors: readonly Visitor[],
  admittedBefore: number,
): void {
  const { maxTunnels } = rule.policy.admission;
  const admitted = count(visitors, "admitted");
  // An edit may leave more than there may be; then nobody is let in.
  if (maxTunnels > 0) expect(admitted).toBeLessThanOrEqual(Math.max(maxTunnels, admittedBefore));
  expect(stage.holdersOf(rule)).toBe(admitted + count(visitors, "waiting"));
  const waiting = [...stage.admissions.waiting()].find((one) => one.rule === rule.rule)?.count ?? 0;
  expect(waiting).toBe(count(visitors, "waiting"));
  // First come, first served: nobody was admitted later than someone who came after him.
  const times = visitors.flatMap(({ state, atMs, cameMs }) => (state === "admitted" ? [[cameMs, atMs!]] : []));
  for (let i = 1; i < times.length; i++) expect(times[i]![1]).toBeGreaterThanOrEqual(times[i - 1]![1]!);
}

function pick(visitors: readonly Visitor[], who: number): Visitor | undefined {
  const present = visitors.filter(({ state }) => state === "waiting" || state === "admitted");
  return present[who % Math.max(1, present.length)];
}
