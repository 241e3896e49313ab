import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildTable, type MatchFacts } from "../routing/index.ts";
import { build, conditionOf, route } from "./graph.fixture.ts";
import { diffHosts, newGraphCache, type RouteGraph } from "./index.ts";

const backendRefs = [{ name: "chat", port: 80 }];
type Match = Readonly<Record<string, unknown>>;
const withMatches = (...matches: readonly Match[]) => ({ rules: [{ name: "main", matches, backendRefs }] });
const OLD = { creationTimestamp: "2026-01-01T00:00:00Z" };
const NEW = { creationTimestamp: "2026-02-01T00:00:00Z" };
const programmed = (graph: RouteGraph, name: string) => conditionOf(graph, name, "Programmed");

/** Two routes on one host, each with one match, the first of them older. */
function pair(first: Match, second: Match): RouteGraph {
  return build({
    WebSocketRoute: {
      "apps/zold": route("zold", withMatches(first), OLD),
      "apps/new": route("new", withMatches(second), NEW),
    },
  });
}

describe("of two routes on one host", () => {
  const ROOT = { path: { value: "/" } };
  const header = (name: string, value: string) => ({ name, value });
  test.for<{ name: string; first: Match; second: Match; isConflict: boolean }>([
    { name: "with one path, the newer loses", first: ROOT, second: ROOT, isConflict: true },
    {
      name: "with one prefix in two spellings, the newer loses",
      first: { path: { value: "/a" } },
      second: { path: { value: "/a/" } },
      isConflict: true,
    },
    {
      name: "with an exact path and a prefix, neither loses",
      first: { path: { value: "/a" } },
      second: { path: { type: "Exact", value: "/a" } },
      isConflict: false,
    },
    {
      name: "with paths of one length, neither loses",
      first: { path: { value: "/a" } },
      second: { path: { value: "/b" } },
      isConflict: false,
    },
    {
      name: "with the same headers in any order and case of their names, the newer loses",
      first: { headers: [header("X-A", "1"), header("X-B", "2")] },
      second: { headers: [header("x-b", "2"), header("x-a", "1")] },
      isConflict: true,
    },
    {
      name: "with other values of a header, neither loses",
      first: { headers: [header("X-A", "1")] },
      second: { headers: [header("X-A", "2")] },
      isConflict: false,
    },
    {
      name: "with one more header, neither loses",
      first: ROOT,
      second: { headers: [header("X-A", "1")] },
      isConflict: false,
    },
    {
      name: "with a header here and a parameter of that name there, neither loses",
      first: { headers: [header("a", "1")] },
      second: { queryParams: [header("a", "1")] },
      isConflict: false,
    },
    {
      name: "with the same query parameters in any order, the newer loses",
      first: { queryParams: [header("a", "1"), header("b", "2")] },
      second: { queryParams: [header("b", "2"), header("a", "1")] },
      isConflict: true,
    },
    {
      name: "with query parameters in another case, neither loses",
      first: { queryParams: [header("a", "1")] },
      second: { queryParams: [header("A", "1")] },
      isConflict: false,
    },
    {
      name: "with the same subprotocols, the newer loses",
      first: { subprotocols: ["a", "b"] },
      second: { subprotocols: ["b", "a"] },
      isConflict: true,
    },
    {
      name: "with part of the older's subprotocols, the newer loses",
      first: { subprotocols: ["a", "b"] },
      second: { subprotocols: ["b"] },
      isConflict: true,
    },
    {
      name: "with more than the older's subprotocols, neither loses",
      first: { subprotocols: ["b"] },
      second: { subprotocols: ["a", "b"] },
      isConflict: false,
    },
    {
      name: "with subprotocols of the newer only, neither loses",
      first: ROOT,
      second: { subprotocols: ["a"] },
      isConflict: false,
    },
    {
      name: "with subprotocols of the older only, neither loses",
      first: { subprotocols: ["a"] },
      second: ROOT,
      isConflict: false,
    },
  ])("$name", ({ first, second, isConflict }) => {
    const graph = pair(first, second);
    expect(programmed(graph, "apps/zold").reason).toBe("Programmed");
    expect(programmed(graph, "apps/new").reason).toBe(isConflict ? "Conflict" : "Programmed");
    expect(programmed(graph, "apps/new").status).toBe(isConflict ? "False" : "True");
  });

  test("the loser is told its field, the host and the winner", () => {
    expect(programmed(pair({}, {}), "apps/new").message).toBe(
      "spec.rules[0].matches[0]: never reached on host chat.example.com: rule main of route apps/zold has the same match " +
        "and goes first; change one of them",
    );
  });

  test("on other patterns neither loses: a narrower host is no conflict", () => {
    const graph = build({
      WebSocketRoute: {
        "apps/a": route("a", { hostnames: ["*.example.com"] }),
        "apps/b": route("b", { hostnames: ["chat.example.com"] }),
        "apps/c": route("c", { hostnames: [] }),
      },
    });
    expect([...graph.routes.keys()].map((name) => programmed(graph, name).reason)).toEqual(
      Array.from({ length: 3 }, () => "Programmed"),
    );
  });

  test("with one host in common, the newer is told of what it lost there, and serves the rest", () => {
    const sub = (name: string) => ({ subprotocols: [name] });
    const graph = build({
      WebSocketRoute: {
        "apps/a": route("a", withMatches({}, sub("x")), OLD),
        "apps/b": route("b", { ...withMatches({}, sub("y")), hostnames: ["chat.example.com", "b.example.com"] }, NEW),
      },
    });
    expect(programmed(graph, "apps/a").reason).toBe("Programmed");
    expect(programmed(graph, "apps/b")).toMatchObject({ status: "True", reason: "PartlyConflicting" });
    expect(programmed(graph, "apps/b").message).toMatch(
      /^spec\.rules\[0\]\.matches\[0\]: .* chat\.example\.com: [^;]*; change one of them$/,
    );
  });

  test("without hostnames the message says every host", () => {
    const hostless = { hostnames: [] };
    const graph = build({ WebSocketRoute: { "apps/a": route("a", hostless), "apps/b": route("b", hostless) } });
    expect(programmed(graph, "apps/b").message).toContain("never reached on every host: rule 0 of route apps/a");
  });
});

test("what several earlier routes take together is never reached either", () => {
  const sub = (...subprotocols: readonly string[]) => withMatches({ subprotocols });
  const graph = build({
    WebSocketRoute: {
      "apps/a": route("a", sub("x")),
      "apps/b": route("b", sub("y", "z")),
      "apps/c": route("c", sub("y", "x")),
    },
  });
  expect(programmed(graph, "apps/c").reason).toBe("Conflict");
  expect(programmed(graph, "apps/c").message).toContain("rule main of route apps/b");
});

test("what an earlier route has in part is taken by the next one as to the rest", () => {
  const sub = (...subprotocols: readonly string[]) => withMatches({ subprotocols });
  const graph = build({
    WebSocketRoute: {
      "apps/a": route("a", sub("x")),
      "apps/b": route("b", sub("x", "y")),
      "apps/c": route("c", sub("y")),
    },
  });
  expect(programmed(graph, "apps/b").reason).toBe("Programmed");
  expect(programmed(graph, "apps/c").message).toContain("rule main of route apps/b");
});

test("conflicts are told in the order of the route's rules, whatever goes first in the table", () => {
  const rules = [{ backendRefs }, { matches: [{ path: { value: "/longer" } }], backendRefs }];
  const graph = build({ WebSocketRoute: { "apps/a": route("a", { rules }), "apps/b": route("b", { rules }) } });
  expect(programmed(graph, "apps/b").message).toMatch(/^spec\.rules\[0\].*; spec\.rules\[1\]/);
});

test("a route may be in its own way", () => {
  const rules = [
    { name: "first", backendRefs },
    { name: "second", matches: [{ path: { value: "/a" } }, { path: { value: "/a/" } }, {}], backendRefs },
  ];
  const { reason, status, message } = programmed(
    build({ WebSocketRoute: { "apps/chat": route("chat", { rules }) } }),
    "apps/chat",
  );
  expect([status, reason]).toEqual(["True", "PartlyConflicting"]);
  expect(message).toBe(
    "spec.rules[1].matches[1]: never reached on host chat.example.com: an earlier match of this rule " +
      "(spec.rules[1].matches[0]) has the same match and goes first; change one of them; " +
      "spec.rules[1].matches[2]: never reached on host chat.example.com: an earlier rule of this route " +
      "(spec.rules[0].matches[0]) has the same match and goes first; change one of them",
  );
});

test("very many conflicts make a message of bounded length, in the order of the route", () => {
  const matches = Array.from({ length: 8 }, (_, i) => ({ path: { value: `/${i}` } }));
  const rules = [{ matches, backendRefs }];
  const hostnames = Array.from({ length: 16 }, (_, i) => `h${i}.example.com`);
  const routes = { "apps/a": route("a", { rules, hostnames }), "apps/b": route("b", { rules, hostnames }) };
  const { reason, message } = programmed(build({ WebSocketRoute: routes }), "apps/b");
  expect(reason).toBe("Conflict");
  expect(message.length).toBeLessThanOrEqual(1024);
  expect(message).toMatch(/^spec\.rules\[0\]\.matches\[0\]: never reached on host h0\.example\.com.*; and 124 more$/);
});

test("who lost stays in the table, behind the winner, and takes over when that goes", () => {
  const cache = newGraphCache();
  const [a, b] = [route("a"), route("b")];
  const both = build({ WebSocketRoute: { "apps/a": a, "apps/b": b } }, cache);
  expect(both.hosts.get("chat.example.com")!.map(({ rule }) => rule.route)).toEqual(["apps/a", "apps/b"]);
  const alone = build({ WebSocketRoute: { "apps/b": b } }, cache);
  expect(programmed(alone, "apps/b").reason).toBe("Programmed");
  expect(alone.hosts.get("chat.example.com")!.map(({ rule }) => rule.route)).toEqual(["apps/b"]);
});

test("a shared host is settled anew when a claimant changes, and only then", () => {
  const cache = newGraphCache();
  const [a, b] = [route("a"), route("b", withMatches({ path: { value: "/b" } }))];
  const before = build({ WebSocketRoute: { "apps/a": a, "apps/b": b } }, cache);
  const same = build({ WebSocketRoute: { "apps/a": a, "apps/b": b } }, cache);
  expect(same.hosts.get("chat.example.com")).toBe(before.hosts.get("chat.example.com"));
  const after = build({ WebSocketRoute: { "apps/a": a, "apps/b": route("b") } }, cache);
  expect(programmed(before, "apps/b").reason).toBe("Programmed");
  expect(programmed(after, "apps/b").reason).toBe("Conflict");
  expect([...diffHosts(before.hosts, after.hosts).keys()]).toEqual(["chat.example.com"]);
});

const aMatch = fc.record(
  {
    path: fc.record({ type: fc.constantFrom("Exact", "PathPrefix"), value: fc.constantFrom("/", "/a", "/a/", "/b") }),
    headers: fc.subarray([
      { name: "x-a", value: "1" },
      { name: "X-B", value: "1" },
    ]),
    queryParams: fc.subarray([{ name: "q", value: "1" }]),
    subprotocols: fc.shuffledSubarray(["x", "y", "z"]),
  },
  { requiredKeys: [] },
);
const aRoute = fc.array(aMatch, { minLength: 1, maxLength: 4 });
const aRequest = fc.record({
  path: fc.constantFrom("/", "/a", "/a/c", "/b", "/c"),
  query: fc.constantFrom("", "q=1"),
  headers: fc.subarray([["x-a", "1"] as const, ["x-b", "1"] as const]),
  subprotocols: fc.subarray(["x", "y", "z", "w"]),
});

test("what is said to be never reached is reached by no request, and each outcome is the same in any listing", () => {
  fc.assert(
    fc.property(
      fc.array(aRoute, { minLength: 1, maxLength: 5 }),
      fc.array(aRequest, { minLength: 20 }),
      (all, requests) => {
        const routes = all.map((matches, i) => [`apps/r${i}`, route(`r${i}`, withMatches(...matches))] as const);
        const graph = build({ WebSocketRoute: Object.fromEntries(routes) });
        const reversed = build({ WebSocketRoute: Object.fromEntries(routes.toReversed()) });
        expect(reversed.routes).toEqual(graph.routes);
        const table = buildTable(1, graph.hosts);
        for (const request of requests) {
          const facts: MatchFacts = { host: "chat.example.com", ...request };
          const winner = table.match(facts)?.rule.route;
          if (winner !== undefined) expect(programmed(graph, winner).reason).not.toBe("Conflict");
        }
      },
    ),
    { numRuns: 300 },
  );
});
