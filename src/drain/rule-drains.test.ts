import { describe, expect, test } from "vitest";
import type { DrainPolicy, Endpoint } from "../routing/index.ts";
import { CHAT } from "./drain.fixture.ts";
import { CANARY, endpoint, Story } from "./story.fixture.ts";

const [A, B, C, D] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"] as const;
const ALL = [A, B, C, D];
const terminating = (address: string): Endpoint => endpoint(address, { terminating: true });
const unready = (address: string): Endpoint => endpoint(address, { ready: false });

/** `6000 began vanished`, `13000 done`. */
function chronicle({ world }: Story): string[] {
  return world.heard.map(({ what, drain, atMs }) => {
    if (what === "ended") return `${atMs} ${drain.state}`;
    return what === "began" ? `${atMs} began ${drain.reason}` : `${atMs} late`;
  });
}

type Listing = readonly [atMs: number, endpoints: readonly (Endpoint | string)[] | null];

interface Departures {
  readonly name: string;
  /** Besides `onBackendRemoval: Close` and `within: 10s`. */
  readonly drain?: Partial<DrainPolicy>;
  readonly listings: readonly Listing[];
  readonly want: readonly string[];
}

/** Four tunnels on A; a drain of 10 s closes them 1, 3, 5 and 7 s after it began. */
const DEPARTURES: readonly Departures[] = [
  {
    name: "a terminating backend is drained at once",
    listings: [[1_000, [terminating(A), B, C, D]]],
    want: ["1000 began terminating", "8000 done"],
  },
  {
    name: "the only backend is drained when it terminates",
    listings: [[1_000, [terminating(A)]]],
    want: ["1000 began terminating", "8000 done"],
  },
  {
    name: "one that is terminating and then gone from the list is drained on",
    listings: [
      [1_000, [terminating(A), B, C, D]],
      [2_000, [B, C, D]],
    ],
    want: ["1000 began terminating", "8000 done"],
  },
  {
    name: "one that is terminating is drained on when its list becomes empty",
    listings: [
      [1_000, [terminating(A), B, C, D]],
      [2_000, []],
    ],
    want: ["1000 began terminating", "8000 done"],
  },
  {
    name: "one that is terminating is drained on when no rule names its upstream any more",
    listings: [
      [1_000, [terminating(A), B, C, D]],
      [2_000, null],
    ],
    want: ["1000 began terminating", "8000 done"],
  },
  {
    name: "one that was terminating and is listed again as ready is drained no longer",
    listings: [
      [1_000, [terminating(A), B, C, D]],
      [3_000, ALL],
    ],
    want: ["1000 began terminating", "3000 stopped"],
  },
  {
    name: "one that was terminating, was gone, and is listed again as ready is drained no longer",
    listings: [
      [1_000, [terminating(A), B, C, D]],
      [2_000, [B, C, D]],
      [3_000, ALL],
    ],
    want: ["1000 began terminating", "3000 stopped"],
  },
  {
    name: "a vanished backend is drained after 5 s",
    listings: [[1_000, [B, C, D]]],
    want: ["6000 began vanished", "13000 done"],
  },
  {
    name: "one that vanished and is back after 4.9 s is not drained",
    listings: [
      [1_000, [B, C, D]],
      [5_900, ALL],
    ],
    want: [],
  },
  {
    name: "one that vanishes again after it was back has 5 s again",
    listings: [
      [1_000, [B, C, D]],
      [5_000, ALL],
      [5_500, [B, C, D]],
    ],
    want: ["10500 began vanished", "17500 done"],
  },
  {
    name: "other changes of the list while it is gone do not give it more time",
    listings: [
      [1_000, [B, C, D]],
      [3_000, [B, C]],
      [5_000, [B, C, D]],
    ],
    want: ["6000 began vanished", "13000 done"],
  },
  {
    name: "one that is back while it is drained is drained no longer",
    listings: [
      [1_000, [B, C, D]],
      [8_000, ALL],
    ],
    want: ["6000 began vanished", "8000 stopped"],
  },
  {
    name: "one that vanished and is listed as terminating then is drained at once",
    listings: [
      [1_000, [B, C, D]],
      [3_000, [terminating(A), B, C, D]],
    ],
    want: ["3000 began terminating", "10000 done"],
  },
  { name: "an upstream that becomes empty drains nothing", listings: [[1_000, []]], want: [] },
  {
    name: "an upstream that was empty and lists others drains 5 s after that",
    listings: [
      [1_000, []],
      [9_000, [B, C, D]],
    ],
    want: ["14000 began vanished", "21000 done"],
  },
  {
    name: "an upstream that was empty and is back as it was drains nothing",
    listings: [
      [1_000, []],
      [9_000, ALL],
    ],
    want: [],
  },
  {
    name: "a drain stops when the upstream becomes empty",
    listings: [
      [1_000, [B, C, D]],
      [8_000, []],
    ],
    want: ["6000 began vanished", "8000 stopped"],
  },
  {
    name: "an upstream that becomes empty within the 5 s ends them",
    listings: [
      [1_000, [B, C, D]],
      [3_000, []],
      [7_000, [B, C, D]],
    ],
    want: ["12000 began vanished", "19000 done"],
  },
  { name: "an upstream that no rule names any more drains nothing", listings: [[1_000, null]], want: [] },
  {
    name: "a new Pod on the same address does not bring the old one back",
    listings: [
      [1_000, [terminating(A), B, C, D]],
      [2_000, [endpoint(A, { podUid: "new" }), B, C, D]],
    ],
    want: ["1000 began terminating", "8000 done"],
  },
  {
    name: "a Pod whose address another has taken over has vanished",
    listings: [[1_000, [endpoint(A, { podUid: "new" }), B, C, D]]],
    want: ["6000 began vanished", "13000 done"],
  },
  {
    name: "with Keep a backend that terminates or vanishes is not drained",
    drain: { onBackendRemoval: "Keep", onUnready: "Close", onZeroWeight: "Close" },
    listings: [
      [1_000, [terminating(A), B, C, D]],
      [9_000, ALL],
      [10_000, [B, C, D]],
    ],
    want: [],
  },
  {
    name: "an unready backend is not drained unless the rule says so",
    drain: { onUnready: "Keep" },
    listings: [[1_000, [unready(A), B, C, D]]],
    want: [],
  },
  {
    name: "an unready backend is drained after 5 s where the rule says so",
    drain: { onBackendRemoval: "Keep", onUnready: "Close" },
    listings: [[1_000, [unready(A), B, C, D]]],
    want: ["6000 began unready", "13000 done"],
  },
  {
    name: "one that is ready again after 4.9 s is not drained",
    drain: { onUnready: "Close" },
    listings: [
      [1_000, [unready(A), B, C, D]],
      [5_900, ALL],
    ],
    want: [],
  },
  {
    name: "one that is ready again while it is drained is drained no longer",
    drain: { onUnready: "Close" },
    listings: [
      [1_000, [unready(A), B, C, D]],
      [8_000, ALL],
    ],
    want: ["6000 began unready", "8000 stopped"],
  },
  {
    name: "while just half of an upstream is unready that half is drained",
    drain: { onUnready: "Close" },
    listings: [[1_000, [unready(A), unready(B), C, D]]],
    want: ["6000 began unready", "13000 done"],
  },
  {
    name: "while more than half of an upstream is unready nothing is drained",
    drain: { onUnready: "Close" },
    listings: [[1_000, [unready(A), unready(B), unready(C), D]]],
    want: [],
  },
  {
    name: "terminating ones do not count as ready: what stays is unready by more than half",
    drain: { onUnready: "Close" },
    listings: [[1_000, [unready(A), terminating(B), terminating(C), terminating(D)]]],
    want: [],
  },
  {
    name: "terminating ones do not count as unready: what stays is unready by half",
    drain: { onUnready: "Close" },
    listings: [[1_000, [unready(A), endpoint(B, { ready: false, terminating: true }), C]]],
    want: ["6000 began unready", "13000 done"],
  },
  {
    name: "the drain of an unready one stops when more than half becomes unready",
    drain: { onUnready: "Close" },
    listings: [
      [1_000, [unready(A), B, C, D]],
      [8_000, [unready(A), unready(B), unready(C), D]],
    ],
    want: ["6000 began unready", "8000 stopped"],
  },
  {
    name: "when no longer more than half is unready the 5 s begin",
    drain: { onUnready: "Close" },
    listings: [
      [1_000, [unready(A), unready(B), unready(C), D]],
      [9_000, [unready(A), B, C, D]],
    ],
    want: ["14000 began unready", "21000 done"],
  },
  {
    name: "one that was unready and vanishes has 5 s as vanished",
    drain: { onUnready: "Close" },
    listings: [
      [1_000, [unready(A), B, C, D]],
      [4_000, [B, C, D]],
    ],
    want: ["9000 began vanished", "16000 done"],
  },
  {
    name: "one that is drained since it is unready and terminates then is drained on, in the same time",
    drain: { onUnready: "Close" },
    listings: [
      [1_000, [unready(A), B, C, D]],
      [8_500, [terminating(A), B, C, D]],
    ],
    want: ["6000 began unready", "13000 done"],
  },
  {
    name: "the drain of an unready one stops when it terminates and the rule keeps tunnels of such",
    drain: { onUnready: "Close", onBackendRemoval: "Keep" },
    listings: [
      [1_000, [unready(A), B, C, D]],
      [8_500, [terminating(A), B, C, D]],
    ],
    want: ["6000 began unready", "8500 stopped"],
  },
];

describe("backends that leave", () => {
  test.for(DEPARTURES)("$name", ({ drain, listings, want }) => {
    const story = new Story();
    story.list(ALL);
    story.edit({ drain: drain ?? {} });
    story.connect(4, { on: A });
    for (const [atMs, endpoints] of listings) {
      story.world.pass(atMs - story.world.nowMs);
      story.list(endpoints);
    }
    story.world.pass(60_000);
    expect(chronicle(story)).toEqual(want);
    const isDone = want.at(-1)?.endsWith("done") === true;
    const { closed, tunnels } = story.world;
    expect(closed.length + tunnels.size).toBe(4);
    expect(tunnels.size === 0).toBe(isDone);
    expect([...story.byRule.facts()]).toEqual([]);
    expect(story.world.wheel.size).toBe(0);
  });

  test("those of its tunnels that have been told go, and the rest lives, when a backend is back", () => {
    const story = new Story();
    story.list(ALL);
    story.edit({});
    story.connect(4, { on: A, lingerMs: 3_000 });
    story.list([terminating(A), B]);
    story.world.pass(4_000);
    story.list(ALL);
    story.world.pass(60_000);
    expect(story.world.closeTimes).toEqual([1_000, 3_000]);
    expect(story.world.tunnels.size).toBe(2);
  });

  test("one that leaves again tells nobody twice", () => {
    const story = new Story();
    story.list(ALL);
    story.edit({});
    const [first] = story.connect(4, { on: A, name: "t", lingerMs: 30_000 });
    story.list([terminating(A), B]);
    story.world.pass(2_000);
    story.list(ALL);
    story.list([terminating(A), B]);
    expect([...story.byRule.facts()]).toMatchObject([{ waiting: 3, closing: 1 }]);
    story.world.pass(20_000);
    expect(new Set(story.world.closed.map(({ name }) => name)).size).toBe(4);
    expect(story.world.closed).toHaveLength(4);
    expect(story.world.closed[0]?.name).toBe(first?.name);
  });

  test("tunnels of other backends are left alone", () => {
    const story = new Story();
    story.list(ALL);
    story.edit({});
    story.connect(12);
    story.list([terminating(A), B, C, D]);
    story.world.pass(60_000);
    expect([...story.world.tunnels].map(({ context }) => context.lease.backend.address).sort()).toEqual(
      [B, C, D].flatMap((address) => [address, address, address]),
    );
  });

  test("new tunnels never come to a backend that leaves, from the first moment on", () => {
    const story = new Story();
    story.list(ALL);
    story.edit({ drain: { onBackendRemoval: "Keep" } });
    story.list([terminating(A), unready(B), C]);
    expect(story.offered).toEqual(new Set([C]));
  });
});

interface Weights {
  readonly name: string;
  readonly drain?: Partial<DrainPolicy>;
  readonly edit: (story: Story) => void;
  readonly want: readonly string[];
}

const both = (chat: number, canary: number) => [
  { upstream: CHAT, weight: chat },
  { upstream: CANARY, weight: canary },
];

const WEIGHTS: readonly Weights[] = [
  {
    name: "weight 0 drains at once where the rule says so",
    edit: (story) => story.edit({ backends: both(1, 0) }),
    want: ["1000 began unweighted", "8000 done"],
  },
  {
    name: "weight 0 drains nothing unless the rule says so",
    drain: { onZeroWeight: "Keep" },
    edit: (story) => story.edit({ backends: both(1, 0) }),
    want: [],
  },
  {
    name: "a backendRef that is taken out is like weight 0",
    edit: (story) => story.edit({ backends: [{ upstream: CHAT, weight: 1 }] }),
    want: ["1000 began unweighted", "8000 done"],
  },
  {
    name: "a backendRef that is taken out drains on when no other rule names its upstream",
    edit: (story) => {
      story.edit({ backends: [{ upstream: CHAT, weight: 1 }] });
      story.list(null, CANARY);
    },
    want: ["1000 began unweighted", "8000 done"],
  },
  {
    name: "a share that is only smaller drains nothing",
    edit: (story) => story.edit({ backends: both(99, 1) }),
    want: [],
  },
  {
    name: "a Service that stands twice in the rule has a share while one of both has",
    edit: (story) => story.edit({ backends: [...both(1, 0), { upstream: CANARY, weight: 1 }] }),
    want: [],
  },
  {
    name: "a share that is back ends the drain",
    edit: (story) => {
      story.edit({ backends: both(1, 0) });
      story.world.pass(2_000);
      story.edit({ backends: both(1, 1) });
    },
    want: ["1000 began unweighted", "3000 stopped"],
  },
  { name: "a rule that is gone says nothing of weights", edit: (story) => story.remove(), want: [] },
  {
    name: "weight 0 and Close in one edit drain",
    drain: { onZeroWeight: "Keep" },
    edit: (story) => story.edit({ backends: both(1, 0), drain: { onZeroWeight: "Close" } }),
    want: ["1000 began unweighted", "8000 done"],
  },
  {
    name: "a backend without a share that vanishes is drained on",
    edit: (story) => {
      story.edit({ backends: both(1, 0) });
      story.world.pass(1_000);
      story.list([D], CANARY);
    },
    want: ["1000 began unweighted", "8000 done"],
  },
];

describe("weights", () => {
  test.for(WEIGHTS)("$name", ({ drain, edit, want }) => {
    const story = new Story();
    story.list([A, B]);
    story.list([C], CANARY);
    story.edit({ drain: { onZeroWeight: "Close", ...drain }, backends: both(1, 1) });
    story.connect(2, { on: A });
    story.connect(4, { on: C });
    story.world.pass(1_000);
    edit(story);
    story.world.pass(60_000);
    expect(chronicle(story)).toEqual(want);
    expect(story.world.wheel.size).toBe(0);
    expect([...story.world.tunnels].filter(({ context }) => context.lease.backend.address === A)).toHaveLength(2);
  });
});
