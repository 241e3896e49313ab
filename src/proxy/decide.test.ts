import { describe, expect, test } from "vitest";
import { buildTable, ruleId, type CompiledEntry, type CompiledMatch, type CompiledRule } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { answerHeaders } from "./answers.ts";
import { createDecider } from "./decide.ts";
import type { Decision, HeaderPair, RequestFacts } from "./types.ts";

const OURS = "holdfast-0123abcd";
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

function rule(
  name: string,
  prefix: string,
  changes: Partial<CompiledRule> = {},
  match: Partial<CompiledMatch> = {},
): CompiledEntry {
  return {
    match: { path: { type: "PathPrefix", value: prefix }, headers: [], queryParams: [], subprotocols: [], ...match },
    rule: {
      id: ruleId("apps/chat", name),
      route: "apps/chat",
      rule: name,
      backends: [],
      rewrite: undefined,
      requestHeaders: undefined,
      responseHeaders: undefined,
      policy: QUIET_POLICY,
      ...changes,
    },
  };
}

const ENTRIES = [
  rule("mqtt", "/", {}, { subprotocols: ["mqtt"] }),
  rule("beta", "/", {}, { headers: [{ name: "x-beta", value: "1" }], queryParams: [{ name: "v", value: "2" }] }),
  rule("strict", "/strict", { policy: { ...QUIET_POLICY, plainHTTP: "Reject" } }),
  rule("wsapp", "/wsapp", {
    rewrite: { path: { type: "ReplacePrefixMatch", value: "/" }, host: "internal.example" },
    requestHeaders: {
      set: [{ name: "X-Tenant", value: "apps" }],
      add: [{ name: "X-Trace", value: "1" }],
      remove: ["X-Debug"],
    },
  }),
  rule("app", "/app"),
];

const decider = createDecider({
  tables: { current: buildTable(1, new Map([["chat.example", ENTRIES]])) },
  pseudonym: OURS,
});

const HOST: HeaderPair = ["Host", "chat.example:8020"];
const UPGRADE: HeaderPair[] = [
  HOST,
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Version", "13"],
  ["Sec-WebSocket-Key", KEY],
];

function decide(changes: Partial<RequestFacts>): Decision {
  const facts: RequestFacts = {
    method: "GET",
    target: "/app",
    headers: [HOST],
    clientAddress: "192.0.2.7",
    scheme: "http",
    httpVersion: "1.1",
    ...changes,
  };
  return decider.decide(facts);
}

/** The decision in one line: kind, and what it leads to. */
function outcome(changes: Partial<RequestFacts>): string {
  const decision = decide(changes);
  return decision.kind === "refuse"
    ? decision.code
    : `${decision.kind} ${decision.entry.rule.rule} ${decision.head.target}`;
}

describe("what becomes of a sound request", () => {
  test.for<{ name: string; given: Partial<RequestFacts>; want: string }>([
    { name: "a plain request is forwarded", given: {}, want: "forward app /app" },
    { name: "every method of a plain request is forwarded", given: { method: "PROPFIND" }, want: "forward app /app" },
    { name: "a handshake becomes a tunnel", given: { headers: UPGRADE }, want: "tunnel app /app" },
    { name: "the query goes with it", given: { target: "/app?a=1&b" }, want: "forward app /app?a=1&b" },
    { name: "an empty query keeps its mark", given: { target: "/app?" }, want: "forward app /app?" },
    {
      name: "an absolute URL becomes a path",
      given: { target: "http://chat.example:8020/app?x" },
      want: "forward app /app?x",
    },
    { name: "double slashes go as they came", given: { target: "/app//x/" }, want: "forward app /app//x/" },
    {
      name: "a prefix is rewritten and the query kept",
      given: { target: "/wsapp/a?b=c" },
      want: "forward wsapp /a?b=c",
    },
    {
      name: "a prefix alone becomes the root",
      given: { target: "/wsapp?b", headers: UPGRADE },
      want: "tunnel wsapp /?b",
    },
    { name: "half a segment is no prefix", given: { target: "/wsapps" }, want: "HF_NO_ROUTE" },
    { name: "another host has no route", given: { headers: [["Host", "b.example"]] }, want: "HF_NO_ROUTE" },
    {
      name: "the host is matched in any case, with its trailing dot",
      given: { headers: [["hOST", "CHAT.example."]] },
      want: "forward app /app",
    },
    {
      name: "headers and query decide where the rule says so",
      given: { target: "/x?v=2", headers: [HOST, ["X-Beta", "1"]] },
      want: "forward beta /x?v=2",
    },
    {
      name: "an offered subprotocol decides",
      given: { target: "/x", headers: [...UPGRADE, ["Sec-WebSocket-Protocol", "a, mqtt"]] },
      want: "tunnel mqtt /x",
    },
    {
      name: "a plain request offers no subprotocol",
      given: { target: "/x", headers: [HOST, ["Sec-WebSocket-Protocol", "mqtt"]] },
      want: "HF_NO_ROUTE",
    },
    {
      name: "an upgrade to h2c is a plain request",
      given: {
        headers: [HOST, ["Upgrade", "h2c"], ["Connection", "Upgrade, HTTP2-Settings"], ["HTTP2-Settings", "AA"]],
      },
      want: "forward app /app",
    },
    {
      name: "an upgrade in HTTP/1.0 is a plain request",
      given: { headers: UPGRADE, httpVersion: "1.0" },
      want: "forward app /app",
    },
    {
      name: "a rule for WebSocket only takes a handshake",
      given: { target: "/strict", headers: UPGRADE },
      want: "tunnel strict /strict",
    },
    {
      name: "a rule for WebSocket only rejects a plain request",
      given: { target: "/strict" },
      want: "HF_PLAIN_HTTP_REJECTED",
    },
    {
      name: "a chunked upload is forwarded",
      given: { method: "POST", headers: [HOST, ["Transfer-Encoding", "chunked"]] },
      want: "forward app /app",
    },
  ])("$name", ({ given, want }) => {
    expect(outcome(given)).toBe(want);
  });
});

describe("what is refused", () => {
  test.for<{ name: string; given: Partial<RequestFacts>; want: string }>([
    { name: "CONNECT", given: { method: "CONNECT", target: "chat.example:443" }, want: "HF_METHOD" },
    { name: "TRACE", given: { method: "TRACE" }, want: "HF_METHOD" },
    { name: "a method that is no token", given: { method: "GET /x" }, want: "HF_BAD_REQUEST" },
    { name: "OPTIONS of the server as a whole", given: { method: "OPTIONS", target: "*" }, want: "HF_BAD_TARGET" },
    { name: "a path with two readings", given: { target: "/app/..%2fadmin" }, want: "HF_BAD_PATH" },
    { name: "a path out of its prefix", given: { target: "/wsapp/../admin" }, want: "HF_BAD_PATH" },
    { name: "no Host", given: { headers: [] }, want: "HF_BAD_HOST" },
    { name: "two Hosts", given: { headers: [HOST, HOST] }, want: "HF_BAD_HOST" },
    { name: "a target that contradicts Host", given: { target: "http://b.example/app" }, want: "HF_BAD_HOST" },
    {
      name: "Content-Length beside Transfer-Encoding",
      given: { method: "POST", headers: [HOST, ["Content-Length", "5"], ["Transfer-Encoding", "chunked"]] },
      want: "HF_BAD_REQUEST",
    },
    {
      name: "two Content-Lengths",
      given: { method: "POST", headers: [HOST, ["Content-Length", "5"], ["Content-Length", "6"]] },
      want: "HF_BAD_REQUEST",
    },
    {
      name: "an unknown transfer coding",
      given: { method: "POST", headers: [HOST, ["Transfer-Encoding", "xchunked"]] },
      want: "HF_BAD_REQUEST",
    },
    { name: "a header inside a header", given: { headers: [HOST, ["X-A", "a\r\nX-B: b"]] }, want: "HF_BAD_REQUEST" },
    { name: "a space before the colon", given: { headers: [HOST, ["X-A ", "a"]] }, want: "HF_BAD_REQUEST" },
    {
      name: "a smuggled body in a handshake",
      given: { headers: [...UPGRADE, ["Content-Length", "5"], ["Transfer-Encoding", "chunked"]] },
      want: "HF_BAD_REQUEST",
    },
    { name: "our own name in Via", given: { headers: [HOST, ["Via", `1.1 cdn, 1.1 ${OURS}`]] }, want: "HF_LOOP" },
    {
      name: "our own name in Via of a handshake",
      given: { headers: [...UPGRADE, ["Via", `1.1 ${OURS}`]] },
      want: "HF_LOOP",
    },
    { name: "a handshake by POST", given: { method: "POST", headers: UPGRADE }, want: "HF_UPGRADE_METHOD" },
    {
      name: "a handshake with a body",
      given: { headers: [...UPGRADE, ["Content-Length", "5"]] },
      want: "HF_UPGRADE_BODY",
    },
    {
      name: "a handshake of an old version",
      given: { headers: UPGRADE.map(([n, v]): HeaderPair => [n, v === "13" ? "8" : v]) },
      want: "HF_UPGRADE_VERSION",
    },
    { name: "a handshake without a key", given: { headers: UPGRADE.slice(0, 4) }, want: "HF_UPGRADE_KEY" },
  ])("$name is $want", ({ given, want }) => {
    expect(outcome(given)).toBe(want);
  });

  test.for<{ name: string; given: Partial<RequestFacts>; want: string }>([
    {
      name: "host and path come before the loop",
      given: { target: "/..", headers: [HOST, ["Via", `1.1 ${OURS}`]] },
      want: "HF_BAD_PATH",
    },
    {
      name: "the loop comes before the match",
      given: { target: "/nowhere", headers: [HOST, ["Via", `1.1 ${OURS}`]] },
      want: "HF_LOOP",
    },
    {
      name: "the match comes before the handshake",
      given: { target: "/nowhere", headers: UPGRADE.slice(0, 4) },
      want: "HF_NO_ROUTE",
    },
    {
      name: "the handshake comes before what the rule says of plain requests",
      given: { target: "/strict", headers: UPGRADE.slice(0, 4) },
      want: "HF_UPGRADE_KEY",
    },
  ])("$name", ({ given, want }) => {
    expect(outcome(given)).toBe(want);
  });

  test("a refusal carries the headers of its code", () => {
    const decision = decide({ target: "/strict" });
    expect(decision).toMatchObject({ kind: "refuse", headers: answerHeaders("HF_PLAIN_HTTP_REJECTED") });
  });

  test("a refusal names the rule as soon as one has matched", () => {
    expect(decide({ target: "/strict" })).toMatchObject({ kind: "refuse", entry: ENTRIES[2] });
    expect(decide({ target: "/app", headers: UPGRADE.slice(0, 4) })).toMatchObject({
      kind: "refuse",
      entry: ENTRIES[4],
    });
    expect(decide({ target: "/nowhere" })).toMatchObject({ kind: "refuse", entry: undefined });
  });
});

describe("the head for the backend", () => {
  const headOf = (changes: Partial<RequestFacts>) => {
    const decision = decide(changes);
    if (decision.kind === "refuse") throw new Error(decision.code);
    return decision.head;
  };

  test("a handshake keeps Host with its port and gets our forwarded headers", () => {
    expect(
      headOf({ headers: [...UPGRADE, ["X-Forwarded-For", "6.6.6.6"]], clientAddress: "::1", scheme: "https" }),
    ).toEqual({
      method: "GET",
      target: "/app",
      headers: [
        HOST,
        ["Sec-WebSocket-Version", "13"],
        ["Sec-WebSocket-Key", KEY],
        ["Connection", "Upgrade"],
        ["Upgrade", "websocket"],
        ["X-Forwarded-For", "::1"],
        ["X-Forwarded-Proto", "https"],
        ["X-Forwarded-Host", "chat.example:8020"],
        ["Forwarded", 'for="[::1]";host="chat.example:8020";proto=https'],
        ["Via", `1.1 ${OURS}`],
      ],
    });
  });

  test("a rule's Host and edits apply, and X-Forwarded-Host still says what the client asked for", () => {
    const { headers } = headOf({ target: "/wsapp/x", headers: [HOST, ["X-Debug", "1"], ["x-tenant", "stranger"]] });
    expect(headers.slice(0, 3)).toEqual([
      ["Host", "internal.example"],
      ["X-Tenant", "apps"],
      ["X-Trace", "1"],
    ]);
    expect(headers).toContainEqual(["X-Forwarded-Host", "chat.example:8020"]);
  });

  test("other instances in Via stay in front of ours", () => {
    const { headers } = headOf({ headers: [HOST, ["Via", "1.1 cdn, 1.1 holdfast-aaaaaaaa"]] });
    expect(headers.at(-1)).toEqual(["Via", `1.1 holdfast-aaaaaaaa, 1.1 ${OURS}`]);
  });

  test("a request that goes round over two instances is refused by the first", () => {
    const other = createDecider({
      tables: { current: buildTable(1, new Map([["*", [rule("app", "/")]]])) },
      pseudonym: "holdfast-bbbbbbbb",
    });
    const facts: RequestFacts = {
      method: "GET",
      target: "/app",
      headers: UPGRADE,
      clientAddress: "::1",
      scheme: "http",
      httpVersion: "1.1",
    };
    const first = decider.decide(facts);
    const second = first.kind === "tunnel" ? other.decide({ ...facts, headers: first.head.headers }) : first;
    const third = second.kind === "tunnel" ? decider.decide({ ...facts, headers: second.head.headers }) : second;
    expect([first.kind, second.kind, third]).toEqual([
      "tunnel",
      "tunnel",
      expect.objectContaining({ code: "HF_LOOP" }),
    ]);
  });

  test("what the table was changed to holds for the next request", () => {
    const tables = { current: buildTable(1, new Map([["*", [rule("old", "/")]]])) };
    const live = createDecider({ tables, pseudonym: OURS });
    const facts: RequestFacts = {
      method: "GET",
      target: "/",
      headers: [HOST],
      clientAddress: "::1",
      scheme: "http",
      httpVersion: "1.1",
    };
    expect(live.decide(facts)).toMatchObject({ entry: { rule: { rule: "old" } } });
    tables.current = buildTable(2, new Map([["*", [rule("new", "/")]]]));
    expect(live.decide(facts)).toMatchObject({ entry: { rule: { rule: "new" } } });
  });
});
