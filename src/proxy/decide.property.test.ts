import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildTable, ruleId, type CompiledEntry, type CompiledRule } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { createDecider } from "./decide.ts";
import type { Decision, HeaderPair, RequestFacts } from "./types.ts";

const OURS = "holdfast-0123abcd";
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const HOST: HeaderPair = ["Host", "chat.example:8020"];
const UPGRADE: HeaderPair[] = [
  HOST,
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Version", "13"],
  ["Sec-WebSocket-Key", KEY],
];

function rule(name: string, prefix: string, changes: Partial<CompiledRule>): CompiledEntry {
  return {
    match: { path: { type: "PathPrefix", value: prefix }, headers: [], queryParams: [], subprotocols: [] },
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
  rule("app", "/app", {}),
  rule("wsapp", "/wsapp", {
    rewrite: { path: { type: "ReplacePrefixMatch", value: "/" }, host: "internal.example" },
    requestHeaders: { set: [{ name: "X-Tenant", value: "apps" }], add: [], remove: ["X-Debug"] },
  }),
];
const decider = createDecider({
  tables: { current: buildTable(1, new Map([["chat.example", ENTRIES]])) },
  pseudonym: OURS,
});

function decide(changes: Pick<RequestFacts, "target" | "headers" | "clientAddress">): Decision {
  return decider.decide({ method: "GET", scheme: "http", httpVersion: "1.1", ...changes });
}

const anyText = fc.string({ unit: "binary", maxLength: 20 });
const tokenText = fc.stringMatching(/^[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}$/);
const someName = fc.oneof(
  fc.constantFrom(
    "Host",
    "Connection",
    "Upgrade",
    "Via",
    "Content-Length",
    "Transfer-Encoding",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "X-Forwarded-For",
    "x_forwarded_for",
    "Forwarded",
    "X-Real-IP",
    "holdfast-reattach",
    "HOLDFAST-x",
    "Holdfast_X",
    "TE",
    "Trailer",
    "Keep-Alive",
    "Expect",
    "Proxy-Connection",
    "Proxy-Authorization",
    "HTTP2-Settings",
    "X-Hop",
    "Cookie",
  ),
  tokenText,
);
const someValue = fc.oneof(
  fc.constantFrom(
    "websocket",
    "Upgrade",
    "keep-alive",
    "close, X-Hop",
    "Host, Cookie",
    "13",
    KEY,
    "chunked",
    "0",
    "5",
    "chat, mqtt",
    `1.1 ${OURS}`,
    "1.1 holdfast-aaaaaaaa",
  ),
  fc.stringMatching(/^[\t -~\xa0-\xff]{0,20}$/),
);
const somePair = fc.tuple(someName, someValue);
const handshakePairs = fc.constantFrom<HeaderPair[]>([], [HOST], [HOST], UPGRADE, UPGRADE);
const someTarget = fc.oneof(
  fc.constantFrom("/app", "/wsapp/x?y", "/", "*"),
  anyText.map((text) => `/app/${text}`),
);

const HOP_BY_HOP = /^(keep-alive|proxy-.*|te|trailer|transfer-encoding|http2-settings|expect|x-hop)$/;

describe("whatever the facts say", () => {
  test("there is a decision, and it never throws", () => {
    const anyFacts = fc.record({
      method: anyText,
      target: anyText,
      headers: fc.array(fc.tuple(fc.oneof(anyText, someName), fc.oneof(anyText, someValue)), { maxLength: 12 }),
      clientAddress: anyText,
      scheme: fc.constantFrom("http" as const, "https" as const),
      httpVersion: fc.oneof(fc.constantFrom("1.0", "1.1", "2.0"), anyText),
    });
    fc.assert(
      fc.property(anyFacts, (facts) => ["refuse", "forward", "tunnel"].includes(decider.decide(facts).kind)),
      { numRuns: 1_000 },
    );
  });

  test("a head for a backend can hold no line break, no hop-by-hop name and nothing a stranger says in our name", () => {
    const seen = { forward: 0, tunnel: 0, refuse: 0 };
    const wild = fc.record({
      target: someTarget,
      first: handshakePairs,
      more: fc.array(
        fc.oneof({ weight: 8, arbitrary: somePair }, { weight: 1, arbitrary: fc.tuple(anyText, anyText) }),
        { maxLength: 5 },
      ),
      clientAddress: fc.oneof(fc.ipV4(), fc.ipV6(), anyText),
    });
    fc.assert(
      fc.property(wild, ({ target, first, more, clientAddress }) => {
        const headers = [...first, ...more];
        const isHopNominated = headers.some(([n, v]) => n.toLowerCase() === "connection" && v.includes("X-Hop"));
        const decision = decide({ target, headers, clientAddress });
        seen[decision.kind] += 1;
        if (decision.kind === "refuse") {
          expect(decision.detail).toMatch(/^[ -~]*$/);
          return;
        }
        const { head } = decision;
        expect(head.target).toMatch(/^\/[!-~]*$/);
        const count = new Map<string, number>();
        for (const [name, value] of head.headers) {
          const lower = name.toLowerCase();
          count.set(lower, (count.get(lower) ?? 0) + 1);
          expect(name).toMatch(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/);
          expect(value).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/);
          expect(lower.replaceAll("_", "-").startsWith("holdfast-")).toBe(false);
          if (lower !== "x-hop" || isHopNominated) expect(lower).not.toMatch(HOP_BY_HOP);
        }
        for (const name of ["host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via"]) {
          expect([name, count.get(name)]).toEqual([name, 1]);
        }
        const want = decision.kind === "tunnel" ? 1 : undefined;
        expect([count.get("connection"), count.get("upgrade")]).toEqual([want, want]);
        expect(count.has("x-real-ip") || count.has("x_forwarded_for")).toBe(false);
      }),
      { numRuns: 2_000 },
    );
    expect(Math.min(seen.forward, seen.tunnel, seen.refuse)).toBeGreaterThan(50);
  });
});
