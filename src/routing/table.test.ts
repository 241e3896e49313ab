import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildTable, canonicalPrefix, ruleId } from "./index.ts";
import type { CompiledEntry, CompiledMatch, MatchFacts, RoutingTable } from "./index.ts";
import { readHeaders, readQuery } from "./request-view.ts";
import { QUIET_POLICY } from "./rule-policy.fixture.ts";

function entry(name: string, match: Partial<CompiledMatch>): CompiledEntry {
  return {
    match: { path: { type: "PathPrefix", value: "/" }, headers: [], queryParams: [], subprotocols: [], ...match },
    rule: {
      id: ruleId("apps/chat", name),
      route: "apps/chat",
      rule: name,
      backends: [],
      rewrite: undefined,
      requestHeaders: undefined,
      responseHeaders: undefined,
      policy: QUIET_POLICY,
    },
  };
}

const prefix = (name: string, value: string, more: Partial<CompiledMatch> = {}): CompiledEntry =>
  entry(name, { path: { type: "PathPrefix", value }, ...more });
const exact = (name: string, value: string, more: Partial<CompiledMatch> = {}): CompiledEntry =>
  entry(name, { path: { type: "Exact", value }, ...more });

const facts = (changes: Partial<MatchFacts>): MatchFacts => ({
  host: "chat.example.com",
  path: "/",
  query: "",
  headers: [],
  subprotocols: [],
  ...changes,
});

function ruleFor(hosts: Record<string, readonly CompiledEntry[]>, request: Partial<MatchFacts>): string | undefined {
  return buildTable(1, new Map(Object.entries(hosts))).match(facts(request))?.rule.rule;
}

describe("hosts", () => {
  const hosts = {
    "chat.example.com": [
      prefix("exact", "/only-here"),
      prefix("exact-v2", "/", { queryParams: [{ name: "v", value: "2" }] }),
    ],
    "*.example.com": [prefix("short", "/")],
    "*.eu.example.com": [prefix("long", "/long")],
    "*": [prefix("any", "/")],
  };
  test.for([
    { name: "an exact host wins over a wildcard", host: "chat.example.com", path: "/only-here", want: "exact" },
    {
      name: "where no entry of the exact host matches, the wildcard serves",
      host: "chat.example.com",
      path: "/x",
      want: "short",
    },
    { name: "the longest wildcard wins", host: "a.eu.example.com", path: "/long", want: "long" },
    {
      name: "where the longest wildcard does not match, the shorter serves",
      host: "a.eu.example.com",
      path: "/x",
      want: "short",
    },
    { name: "a wildcard stands for any number of labels", host: "a.b.c.eu.example.com", path: "/long", want: "long" },
    { name: "a wildcard does not match the bare domain", host: "example.com", path: "/", want: "any" },
    { name: "a wildcard does not match half a label", host: "badexample.com", path: "/", want: "any" },
    { name: "a wildcard does not match an empty label", host: ".example.com", path: "/", want: "any" },
    { name: "a host of nobody goes to the star", host: "other.test", path: "/", want: "any" },
    { name: "an IPv6 literal goes to the star", host: "[::1]", path: "/", want: "any" },
    { name: "no host at all goes to the star", host: "", path: "/", want: "any" },
    { name: "a pattern is not a host", host: "*.eu.example.com", path: "/long", want: "long" },
  ])("$name", ({ host, path, want }) => {
    expect(ruleFor(hosts, { host, path })).toBe(want);
  });

  test("without a star a foreign host matches nothing", () => {
    expect(ruleFor({ "chat.example.com": [prefix("chat", "/")] }, { host: "other.test" })).toBeUndefined();
  });
});

describe("paths", () => {
  test.for([
    { name: "a prefix matches itself", prefix: "/wsapp", path: "/wsapp", want: true },
    { name: "a prefix matches itself with a slash", prefix: "/wsapp", path: "/wsapp/", want: true },
    { name: "a prefix matches below a slash", prefix: "/wsapp", path: "/wsapp/x", want: true },
    { name: "a prefix does not match half a segment", prefix: "/wsapp", path: "/wsappx", want: false },
    { name: "a prefix does not match above itself", prefix: "/wsapp/x", path: "/wsapp", want: false },
    { name: "a prefix with a slash is the same prefix", prefix: "/wsapp/", path: "/wsapp", want: true },
    { name: "a prefix with a slash matches below", prefix: "/wsapp/", path: "/wsapp/x", want: true },
    { name: "the root prefix matches everything", prefix: "/", path: "/a//b", want: true },
    { name: "empty segments are segments", prefix: "/a/b", path: "/a//b", want: false },
    { name: "empty segments may stand in a prefix", prefix: "/a//b", path: "/a//b/c", want: true },
    { name: "case matters", prefix: "/wsapp", path: "/WSAPP", want: false },
    { name: "escapes are not decoded", prefix: "/wsapp", path: "/%77sapp", want: false },
    { name: "an asterisk form is in no table", prefix: "/", path: "*", want: false },
    { name: "an empty path is in no table", prefix: "/", path: "", want: false },
  ])("$name", ({ prefix: value, path, want }) => {
    expect(ruleFor({ "*": [prefix("p", value)] }, { path }) === "p").toBe(want);
  });

  const hosts = { "*": [exact("exact", "/a/b"), prefix("long", "/a/b"), prefix("short", "/a"), prefix("root", "/")] };
  test.for([
    { name: "an exact path wins over the same prefix", path: "/a/b", want: "exact" },
    { name: "an exact path is exact to the last slash", path: "/a/b/", want: "long" },
    { name: "the longest prefix wins", path: "/a/b/c", want: "long" },
    { name: "the shorter prefix takes the rest", path: "/a/c", want: "short" },
    { name: "the root prefix takes what is left", path: "/c", want: "root" },
    { name: "a path of 16 kB finds its prefix", path: `/a/b${"/x".repeat(8_000)}`, want: "long" },
    { name: "a segment of 16 kB finds the prefix above it", path: `/a/${"x".repeat(16_000)}`, want: "short" },
  ])("$name", ({ path, want }) => {
    expect(ruleFor(hosts, { path })).toBe(want);
  });

  test("a longer prefix whose conditions fail leaves the request to the shorter one", () => {
    const conditional = prefix("long", "/a/b", { headers: [{ name: "x-beta", value: "1" }] });
    expect(ruleFor({ "*": [conditional, prefix("short", "/a")] }, { path: "/a/b" })).toBe("short");
  });
});

describe("conditions", () => {
  test.for<{ name: string; match: Partial<CompiledMatch>; request: Partial<MatchFacts>; want: boolean }>([
    {
      name: "a header's name may come in any case",
      match: { headers: [{ name: "x-beta", value: "1" }] },
      request: { headers: [["X-Beta", "1"]] },
      want: true,
    },
    {
      name: "a header's value is compared by case",
      match: { headers: [{ name: "x-beta", value: "yes" }] },
      request: { headers: [["x-beta", "Yes"]] },
      want: false,
    },
    {
      name: "a repeated header is one value joined by comma and space",
      match: { headers: [{ name: "x-beta", value: "1, 2" }] },
      request: {
        headers: [
          ["X-Beta", "1"],
          ["a", "b"],
          ["x-beta", "2"],
        ],
      },
      want: true,
    },
    {
      name: "one of several values of a repeated header is not enough",
      match: { headers: [{ name: "x-beta", value: "1" }] },
      request: {
        headers: [
          ["X-Beta", "1"],
          ["x-beta", "2"],
        ],
      },
      want: false,
    },
    {
      name: "every header must hold",
      match: {
        headers: [
          { name: "a", value: "1" },
          { name: "b", value: "2" },
        ],
      },
      request: { headers: [["a", "1"]] },
      want: false,
    },
    {
      name: "a query parameter is decoded",
      match: { queryParams: [{ name: "room name", value: "blå 1" }] },
      request: { query: "x=1&room%20name=bl%C3%A5+1" },
      want: true,
    },
    {
      name: "the first of a repeated parameter counts",
      match: { queryParams: [{ name: "v", value: "2" }] },
      request: { query: "v=1&v=2" },
      want: false,
    },
    {
      name: "a broken escape is taken as it was received",
      match: { queryParams: [{ name: "v", value: "100%" }] },
      request: { query: "v=100%" },
      want: true,
    },
    {
      name: "a parameter without a value has the empty one",
      match: { queryParams: [{ name: "debug", value: "" }] },
      request: { query: "&&debug&" },
      want: true,
    },
    {
      name: "a missing parameter does not hold, not even an empty one",
      match: { queryParams: [{ name: "debug", value: "" }] },
      request: { query: "" },
      want: false,
    },
    {
      name: "one offered subprotocol is enough",
      match: { subprotocols: ["graphql-ws", "mqtt"] },
      request: { subprotocols: ["soap", "mqtt"] },
      want: true,
    },
    {
      name: "no subprotocol offered does not hold",
      match: { subprotocols: ["mqtt"] },
      request: {},
      want: false,
    },
    {
      name: "headers, parameters and subprotocols must hold together",
      match: { headers: [{ name: "a", value: "1" }], queryParams: [{ name: "b", value: "2" }], subprotocols: ["c"] },
      request: { headers: [["a", "1"]], query: "b=2", subprotocols: ["d"] },
      want: false,
    },
  ])("$name", ({ match, request, want }) => {
    expect(ruleFor({ "*": [entry("e", match)] }, request) === "e").toBe(want);
  });

  test("on one path the order of the list decides", () => {
    const beta = prefix("beta", "/a", { headers: [{ name: "x-beta", value: "1" }] });
    const hosts = { "*": [beta, prefix("first", "/a"), prefix("second", "/a")] };
    expect(ruleFor(hosts, { path: "/a", headers: [["x-beta", "1"]] })).toBe("beta");
    expect(ruleFor(hosts, { path: "/a" })).toBe("first");
  });
});

test("a table is frozen", () => {
  expect(Object.isFrozen(buildTable(1, new Map()))).toBe(true);
});

/** The same meaning, written as the words of the design say it: no index, every pattern and entry looked at. */
function matchByTheBook(hosts: ReadonlyMap<string, readonly CompiledEntry[]>, request: MatchFacts) {
  const patterns = [...hosts.keys()]
    .filter((p) => p === "*" || p === request.host || (p.startsWith("*.") && isBelow(request.host, p.slice(1))))
    .toSorted((a, b) => Number(b === request.host) - Number(a === request.host) || b.length - a.length);
  for (const pattern of patterns) {
    const best = hosts
      .get(pattern)!
      .map((candidate, position) => ({ candidate, position }))
      .filter(({ candidate }) => holdsByTheBook(candidate.match, request))
      .toSorted((a, b) => rank(b.candidate) - rank(a.candidate) || a.position - b.position)[0];
    if (best !== undefined) return best.candidate;
  }
  return undefined;
}
const isBelow = (host: string, suffix: string): boolean => host.endsWith(suffix) && host.length > suffix.length;
const rank = ({ match: { path } }: CompiledEntry): number =>
  path.type === "Exact" ? 1e6 : canonicalPrefix(path.value).length;
function holdsByTheBook(match: CompiledMatch, request: MatchFacts): boolean {
  const { type, value } = match.path;
  const segments = (path: string): string[] => path.split("/").slice(1);
  const wanted = canonicalPrefix(value) === "/" ? [] : segments(canonicalPrefix(value));
  const given = segments(request.path);
  const pathHolds = type === "Exact" ? request.path === value : wanted.every((segment, i) => given[i] === segment);
  return (
    pathHolds &&
    match.headers.every(({ name, value: want }) => {
      const all = request.headers.filter(([n]) => n.toLowerCase() === name).map(([, v]) => v);
      return all.length > 0 && all.join(", ") === want;
    }) &&
    match.queryParams.every(({ name, value: want }) => new URLSearchParams(request.query).get(name) === want) &&
    (match.subprotocols.length === 0 || match.subprotocols.some((s) => request.subprotocols.includes(s)))
  );
}

const path = fc.array(fc.constantFrom("a", "b", "", "ab"), { maxLength: 4 }).map((s) => `/${s.join("/")}`);
const few = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(arb, { maxLength: 2 });
const named = fc.record({ name: fc.constantFrom("x", "y"), value: fc.constantFrom("1", "1, 2", "2") });
const anEntry = fc
  .record({
    path: fc.record({ type: fc.constantFrom("Exact" as const, "PathPrefix" as const), value: path }),
    headers: few(named),
    queryParams: few(named),
    subprotocols: few(fc.constantFrom("s", "t")),
  })
  .map((match) => entry("any", match));
const someHosts = fc
  .dictionary(fc.constantFrom("a.b.c", "b.c", "*.b.c", "*.c", "*.a.b.c", "*"), fc.array(anEntry, { maxLength: 12 }))
  .map((hosts) => new Map(Object.entries(hosts)));
const aRequest: fc.Arbitrary<MatchFacts> = fc.record({
  host: fc.constantFrom("a.b.c", "b.c", "x.b.c", "x.y.a.b.c", "c", "xc", ""),
  path,
  query: fc.constantFrom("", "x=1", "y=2&x=1", "x=1%2C+2&x=1", "%79=2"),
  headers: few(fc.tuple(fc.constantFrom("x", "X", "y"), fc.constantFrom("1", "2"))),
  subprotocols: few(fc.constantFrom("s", "t")),
});

test("the index finds what reading every entry finds", () => {
  fc.assert(
    fc.property(someHosts, fc.array(aRequest, { minLength: 1, maxLength: 10 }), (hosts, requests) => {
      const table = buildTable(1, hosts);
      for (const request of requests) expect(table.match(request)).toBe(matchByTheBook(hosts, request));
    }),
    { numRuns: 1_000 },
  );
});

test("whatever is in a request, matching never throws", () => {
  const table = buildTable(
    1,
    new Map([["*", [entry("e", { headers: [{ name: "x", value: "1" }], queryParams: [{ name: "x", value: "1" }] })]]]),
  );
  const pair = fc.tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.array(pair), (text, headers) => {
      table.match({ host: text, path: `/${text}`, query: text, headers, subprotocols: [text] });
    }),
  );
});

test("a query is read as URLSearchParams reads it, where its escapes are sound", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "=", "&", "+", "%20", "%C3%A5", "b") });
  fc.assert(
    fc.property(text, (query) => {
      const want = new Map<string, string>();
      for (const [name, value] of new URLSearchParams(query)) if (!want.has(name)) want.set(name, value);
      expect(readQuery(query)).toEqual(want);
    }),
  );
});

test("a header called like a property of every object is just a header", () => {
  expect(
    readHeaders([
      ["__proto__", "1"],
      ["Constructor", "2"],
    ]),
  ).toEqual(
    new Map([
      ["__proto__", "1"],
      ["constructor", "2"],
    ]),
  );
});

describe("what stands in a table", () => {
  const standing = (table: RoutingTable): readonly string[] =>
    [...table.entries()].map(({ host, entry }) => `${host} ${entry.rule.rule}`).toSorted();

  test("is listed once each, under its host pattern, whatever its path", () => {
    const table = buildTable(
      1,
      new Map([
        [
          "chat.example.com",
          [exact("a", "/x"), exact("b", "/x"), prefix("c", "/"), prefix("d", "/x/y"), prefix("e", "/x/z")],
        ],
        ["*.example.com", [prefix("f", "/deep/er/still")]],
        ["*", [prefix("g", "/")]],
        ["empty.example.com", []],
      ]),
    );
    expect(standing(table)).toEqual([
      "* g",
      "*.example.com f",
      "chat.example.com a",
      "chat.example.com b",
      "chat.example.com c",
      "chat.example.com d",
      "chat.example.com e",
    ]);
  });

  test("is nothing in an empty one", () => {
    expect(standing(buildTable(1, new Map()))).toEqual([]);
  });
});
