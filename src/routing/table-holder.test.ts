import { expect, test } from "vitest";
import { ruleId, TableHolder, upstreamKey } from "./index.ts";
import type { CompiledEntry, CompiledRule, MatchFacts, RuleId } from "./index.ts";
import { QUIET_POLICY } from "./rule-policy.fixture.ts";

function entry(route: string, idleMs = 0): CompiledEntry {
  return {
    match: { path: { type: "PathPrefix", value: "/" }, headers: [], queryParams: [], subprotocols: [] },
    rule: {
      id: ruleId(route, "0"),
      route,
      rule: "0",
      backends: [{ upstream: upstreamKey("apps", "chat", 80), weight: 1 }],
      rewrite: undefined,
      requestHeaders: undefined,
      responseHeaders: undefined,
      policy: { ...QUIET_POLICY, idleMs },
    },
  };
}

const request = (host: string): MatchFacts => ({ host, path: "/", query: "", headers: [], subprotocols: [] });
const routeAt = (holder: TableHolder, host: string): string | undefined =>
  holder.current.match(request(host))?.rule.route;

test("before the first commit the table is empty and of generation 0", () => {
  const holder = new TableHolder();
  expect(holder.current.generation).toBe(0);
  expect(routeAt(holder, "a.test")).toBeUndefined();
});

test("what is staged is not served before the commit, and then all at once", () => {
  const holder = new TableHolder();
  holder.stage(new Map([["a.test", [entry("apps/a")]]]));
  holder.stage(new Map([["*.b.test", [entry("apps/b")]]]));
  holder.stage(new Map([["*", [entry("apps/any")]]]));
  expect(routeAt(holder, "a.test")).toBeUndefined();
  holder.commit(7);
  expect(holder.current.generation).toBe(7);
  expect([routeAt(holder, "a.test"), routeAt(holder, "x.b.test"), routeAt(holder, "z")]).toEqual([
    "apps/a",
    "apps/b",
    "apps/any",
  ]);
});

test("a request that read the table before a commit keeps it", () => {
  const holder = new TableHolder();
  holder.stage(new Map([["a.test", [entry("apps/a")]]]));
  holder.commit(1);
  const before = holder.current;
  holder.stage(new Map([["a.test", null]]));
  holder.commit(2);
  expect(before.match(request("a.test"))?.rule.route).toBe("apps/a");
  expect(routeAt(holder, "a.test")).toBeUndefined();
});

test("hosts that a delta does not name stay as they are", () => {
  const holder = new TableHolder();
  holder.stage(
    new Map([
      ["a.test", [entry("apps/a")]],
      ["*.b.test", [entry("apps/b")]],
      ["*", [entry("apps/any")]],
    ]),
  );
  holder.commit(1);
  holder.stage(new Map([["*.b.test", null]]));
  holder.commit(2);
  expect([routeAt(holder, "a.test"), routeAt(holder, "x.b.test")]).toEqual(["apps/a", "apps/any"]);
});

test("of a host that is staged twice the later list counts", () => {
  const holder = new TableHolder();
  holder.stage(new Map([["a.test", [entry("apps/a")]]]));
  holder.stage(new Map([["a.test", [entry("apps/b")]]]));
  holder.commit(1);
  expect(routeAt(holder, "a.test")).toBe("apps/b");
});

test("a commit without anything staged only raises the generation", () => {
  const holder = new TableHolder();
  holder.stage(new Map([["a.test", [entry("apps/a")]]]));
  holder.commit(1);
  holder.commit(2);
  expect(holder.current.generation).toBe(2);
  expect(routeAt(holder, "a.test")).toBe("apps/a");
});

test("the listener hears of each rule of the replaced hosts once, when the new table is in force", () => {
  const holder = new TableHolder();
  const heard: { rules: string[]; generation: number }[] = [];
  holder.onCommit((rules: ReadonlyMap<RuleId, CompiledRule>) => {
    heard.push({
      rules: [...rules].map(([id, rule]) => `${id} ${rule.policy.idleMs}`),
      generation: holder.current.generation,
    });
  });
  const both = [entry("apps/a"), entry("apps/b")];
  holder.stage(new Map([["a.test", both]]));
  holder.stage(structuredClone(new Map([["b.test", both]])));
  holder.stage(new Map([["c.test", [entry("apps/c")]]]));
  holder.commit(1);
  holder.stage(new Map([["a.test", [entry("apps/b", 5_000)]]]));
  holder.commit(2);
  holder.stage(new Map([["a.test", null]]));
  holder.commit(3);
  expect(heard).toEqual([
    { rules: ["apps/a/0 0", "apps/b/0 0", "apps/c/0 0"], generation: 1 },
    { rules: ["apps/b/0 5000"], generation: 2 },
    { rules: [], generation: 3 },
  ]);
});

test("a list that comes in pieces is one list in the order of its pieces, and leaves the table before it as it was", () => {
  const holder = new TableHolder();
  const heard: string[][] = [];
  holder.onCommit((rules) => heard.push([...rules.keys()]));
  const exact = entry("apps/exact");
  const piece = { ...exact, match: { ...exact.match, path: { type: "Exact", value: "/" } } } as const;
  holder.stage(new Map([["a.test", [entry("apps/a")]]]));
  holder.commit(1);
  const before = holder.current;
  holder.stage(
    new Map([
      ["b.test", [entry("apps/b")]],
      ["a.test", [entry("apps/first")]],
    ]),
  );
  holder.extend([entry("apps/second")]);
  holder.extend([piece]);
  holder.commit(2);
  expect(heard.at(-1)).toEqual(["apps/b/0", "apps/first/0", "apps/second/0", "apps/exact/0"]);
  expect(["a.test", "b.test"].map((host) => routeAt(holder, host))).toEqual(["apps/exact", "apps/b"]);
  expect(holder.current.match({ ...request("a.test"), path: "/x" })?.rule.route).toBe("apps/first");
  expect(before.match(request("a.test"))?.rule.route).toBe("apps/a");
  holder.extend([entry("apps/late")]);
  expect(holder.current.match({ ...request("b.test"), path: "/x" })?.rule.route).toBe("apps/b");
});

test("what is discarded is neither served nor told", () => {
  const holder = new TableHolder();
  const heard: string[][] = [];
  holder.onCommit((rules) => heard.push([...rules.keys()]));
  holder.stage(new Map([["a.test", [entry("apps/a")]]]));
  holder.discard();
  holder.extend([entry("apps/b")]);
  holder.commit(1);
  expect(routeAt(holder, "a.test")).toBeUndefined();
  expect(heard).toEqual([[]]);
});
