import { describe, expect, test } from "vitest";
import { asksForWebSocket, readHandshake } from "./handshake-request.ts";
import { readFields } from "./request-fields.ts";
import type { HeaderPair } from "./types.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const HANDSHAKE: HeaderPair[] = [
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Version", "13"],
  ["Sec-WebSocket-Key", KEY],
];

function fieldsOf(headers: readonly HeaderPair[]) {
  const read = readFields(headers);
  if (!read.ok) throw new Error(read.detail);
  return read.fields;
}

const without = (name: string) => HANDSHAKE.filter(([n]) => n !== name);

describe("asking for WebSocket", () => {
  test.for<{ name: string; headers: HeaderPair[]; version?: string; want: boolean }>([
    { name: "Upgrade with Connection asks", headers: HANDSHAKE, want: true },
    {
      name: "any spelling asks",
      headers: [
        ["UPGRADE", "WebSocket"],
        ["connection", "uPGRADE"],
      ],
      want: true,
    },
    {
      name: "websocket in a list asks",
      headers: [
        ["Upgrade", "h2c, websocket"],
        ["Connection", "keep-alive, Upgrade"],
      ],
      want: true,
    },
    {
      name: "websocket on a second line asks",
      headers: [
        ["Upgrade", "h2c"],
        ["Upgrade", "websocket"],
        ["Connection", "x"],
        ["Connection", "upgrade"],
      ],
      want: true,
    },
    { name: "Upgrade without Connection is ignored", headers: [["Upgrade", "websocket"]], want: false },
    {
      name: "Upgrade that Connection does not name is ignored",
      headers: [
        ["Upgrade", "websocket"],
        ["Connection", "keep-alive"],
      ],
      want: false,
    },
    { name: "Connection alone asks for nothing", headers: [["Connection", "Upgrade"]], want: false },
    {
      name: "another protocol is ignored",
      headers: [
        ["Upgrade", "h2c"],
        ["Connection", "Upgrade, HTTP2-Settings"],
      ],
      want: false,
    },
    {
      name: "a protocol with a version is another one",
      headers: [
        ["Upgrade", "websocket/13"],
        ["Connection", "Upgrade"],
      ],
      want: false,
    },
    { name: "HTTP/1.0 cannot upgrade", headers: HANDSHAKE, version: "1.0", want: false },
    { name: "nothing asks for nothing", headers: [], want: false },
  ])("$name", ({ headers, version = "1.1", want }) => {
    expect(asksForWebSocket(fieldsOf(headers), version)).toBe(want);
  });
});

describe("a handshake that passes", () => {
  test("offers key, subprotocols and extensions", () => {
    const headers: HeaderPair[] = [
      ...HANDSHAKE,
      ["Sec-WebSocket-Protocol", "graphql-transport-ws, chat"],
      ["Sec-WebSocket-Protocol", "Chat"],
      ["Sec-WebSocket-Extensions", 'permessage-deflate; client_max_window_bits, x-a; v="1,2", x-b'],
      ["Sec-WebSocket-Extensions", "x-c ;y"],
    ];
    expect(readHandshake("GET", fieldsOf(headers))).toEqual({
      ok: true,
      offered: {
        key: KEY,
        subprotocols: ["graphql-transport-ws", "chat", "Chat"],
        extensions: ["permessage-deflate", "x-a", "x-b", "x-c"],
      },
    });
  });

  test("may say that its body is empty", () => {
    expect(readHandshake("GET", fieldsOf([...HANDSHAKE, ["Content-Length", "0"]])).ok).toBe(true);
  });
});

describe("a handshake that is refused", () => {
  test.for<{ name: string; method?: string; headers: HeaderPair[]; code: string }>([
    { name: "a POST", method: "POST", headers: HANDSHAKE, code: "HF_UPGRADE_METHOD" },
    { name: "a HEAD", method: "HEAD", headers: HANDSHAKE, code: "HF_UPGRADE_METHOD" },
    { name: "a get in lower case", method: "get", headers: HANDSHAKE, code: "HF_UPGRADE_METHOD" },
    { name: "a body by length", headers: [...HANDSHAKE, ["Content-Length", "1"]], code: "HF_UPGRADE_BODY" },
    { name: "a chunked body", headers: [...HANDSHAKE, ["Transfer-Encoding", "chunked"]], code: "HF_UPGRADE_BODY" },
    { name: "no version", headers: without("Sec-WebSocket-Version"), code: "HF_UPGRADE_VERSION" },
    {
      name: "an old version",
      headers: [...without("Sec-WebSocket-Version"), ["Sec-WebSocket-Version", "8"]],
      code: "HF_UPGRADE_VERSION",
    },
    {
      name: "a list of versions",
      headers: [...without("Sec-WebSocket-Version"), ["Sec-WebSocket-Version", "13, 8"]],
      code: "HF_UPGRADE_VERSION",
    },
    { name: "a second version", headers: [...HANDSHAKE, ["Sec-WebSocket-Version", "13"]], code: "HF_UPGRADE_VERSION" },
    { name: "no key", headers: without("Sec-WebSocket-Key"), code: "HF_UPGRADE_KEY" },
    { name: "a second key", headers: [...HANDSHAKE, ["Sec-WebSocket-Key", KEY]], code: "HF_UPGRADE_KEY" },
    {
      name: "an empty key",
      headers: [...without("Sec-WebSocket-Key"), ["Sec-WebSocket-Key", ""]],
      code: "HF_UPGRADE_KEY",
    },
    {
      name: "a key of 15 bytes",
      headers: [...without("Sec-WebSocket-Key"), ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"]],
      code: "HF_UPGRADE_KEY",
    },
    {
      name: "a key of 17 bytes",
      headers: [...without("Sec-WebSocket-Key"), ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWU="]],
      code: "HF_UPGRADE_KEY",
    },
    {
      name: "a key without padding",
      headers: [...without("Sec-WebSocket-Key"), ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"]],
      code: "HF_UPGRADE_KEY",
    },
    {
      name: "a key in another alphabet",
      headers: [...without("Sec-WebSocket-Key"), ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ_=="]],
      code: "HF_UPGRADE_KEY",
    },
  ])("$name is $code", ({ method = "GET", headers, code }) => {
    expect(readHandshake(method, fieldsOf(headers))).toMatchObject({ ok: false, code });
  });
});
