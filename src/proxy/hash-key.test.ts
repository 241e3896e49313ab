import { describe, expect, test } from "vitest";
import { buildTable, type HashSource } from "../routing/index.ts";
import { createDecider } from "./decide.ts";
import { hashKey } from "./hash-key.ts";
import { entry } from "./proxy.fixture.ts";
import type { HeaderPair } from "./types.ts";

const ROOM: HashSource = { type: "Header", name: "x-room" };
const SESSION: HashSource = { type: "Cookie", name: "session" };
const USER: HashSource = { type: "QueryParam", name: "user id" };

describe("what a request's backend is chosen by", () => {
  test.for<{ name: string; source: HashSource; headers?: HeaderPair[]; query?: string; want: string | undefined }>([
    { name: "the client's address", source: { type: "ClientIP" }, want: "192.0.2.7" },
    { name: "a header in any case", source: ROOM, headers: [["X-ROOM", "7"]], want: "7" },
    {
      name: "a repeated header",
      source: ROOM,
      headers: [
        ["x-room", "7"],
        ["X-Room", "8"],
      ],
      want: "7, 8",
    },
    { name: "no such header", source: ROOM, headers: [["x-rooms", "7"]], want: undefined },
    { name: "an empty header", source: ROOM, headers: [["x-room", ""]], want: undefined },
    { name: "a cookie", source: SESSION, headers: [["Cookie", "session=a1"]], want: "a1" },
    { name: "a cookie among others", source: SESSION, headers: [["Cookie", "a=b; session=a1;c=d"]], want: "a1" },
    {
      name: "a cookie of a second line",
      source: SESSION,
      headers: [
        ["Cookie", "a=b"],
        ["cookie", "session=a1"],
      ],
      want: "a1",
    },
    { name: "the first of two cookies", source: SESSION, headers: [["Cookie", "session=a1; session=a2"]], want: "a1" },
    { name: "a cookie with = in it", source: SESSION, headers: [["Cookie", "session=a=="]], want: "a==" },
    { name: "a cookie of another case", source: SESSION, headers: [["Cookie", "Session=a1"]], want: undefined },
    { name: "a cookie that ends alike", source: SESSION, headers: [["Cookie", "xsession=a1"]], want: undefined },
    { name: "an empty cookie", source: SESSION, headers: [["Cookie", "session="]], want: undefined },
    { name: "a cookie without =", source: SESSION, headers: [["Cookie", "session"]], want: undefined },
    { name: "no cookies", source: SESSION, want: undefined },
    { name: "a parameter, decoded", source: USER, query: "a=b&user%20id=k%C3%A5re", want: "k\u00e5re" },
    { name: "the first of two parameters", source: USER, query: "user+id=1&user+id=2", want: "1" },
    { name: "an empty parameter", source: USER, query: "user+id=", want: undefined },
    { name: "no such parameter", source: USER, query: "user=1", want: undefined },
  ])("$name", ({ source, headers = [], query = "", want }) => {
    expect(hashKey(source, { headers, clientAddress: "192.0.2.7" }, query)).toBe(want);
  });
});

describe("a decision", () => {
  const hashed = entry({ policy: { balancing: { algorithm: "ConsistentHash", hashOn: USER } } });
  const turns = entry({ policy: { balancing: { algorithm: "RoundRobin" } } });
  const UPGRADE: HeaderPair[] = [
    ["Host", "chat.example"],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Version", "13"],
    ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
  ];

  test.for([
    { name: "of a plain request has its key", rule: hashed, headers: UPGRADE.slice(0, 1), want: ["forward", "7"] },
    { name: "of a handshake has its key", rule: hashed, headers: UPGRADE, want: ["tunnel", "7"] },
    { name: "of a rule that does not hash has none", rule: turns, headers: UPGRADE, want: ["tunnel", undefined] },
  ])("$name", ({ rule, headers, want }) => {
    const tables = { current: buildTable(1, new Map([["*", [rule]]])) };
    const decider = createDecider({ tables, pseudonym: "holdfast-00000000" });
    const facts = { method: "GET", target: "/?user%20id=7", clientAddress: "192.0.2.7", httpVersion: "1.1" };
    const decision = decider.decide({ ...facts, headers, scheme: "http" });
    expect([decision.kind, "hashKey" in decision ? decision.hashKey : undefined]).toEqual(want);
  });
});
