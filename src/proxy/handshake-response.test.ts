import { describe, expect, test } from "vitest";
import { acceptOf, checkSwitch } from "./handshake-response.ts";
import type { HeaderPair, OfferedHandshake } from "./types.ts";

const SHAPE = { edits: undefined, pseudonym: "holdfast-0123abcd" };
const OFFERED: OfferedHandshake = {
  key: "dGhlIHNhbXBsZSBub25jZQ==",
  subprotocols: ["chat", "superchat"],
  extensions: ["permessage-deflate"],
};
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const SWITCH: HeaderPair[] = [
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Accept", ACCEPT],
];
const without = (name: string) => SWITCH.filter(([n]) => n !== name);

test("the accept value is that of the example in RFC 6455 1.3", () => {
  expect(acceptOf(OFFERED.key)).toBe(ACCEPT);
});

describe("a 101 that answers the handshake", () => {
  test.for<{ name: string; headers: HeaderPair[] }>([
    { name: "with the bare minimum", headers: SWITCH },
    {
      name: "in any spelling",
      headers: [
        ["upgrade", "WebSocket"],
        ["CONNECTION", "keep-alive, upgrade"],
        ["sec-websocket-accept", ACCEPT],
      ],
    },
    { name: "with the first subprotocol", headers: [...SWITCH, ["Sec-WebSocket-Protocol", "chat"]] },
    { name: "with the second subprotocol", headers: [...SWITCH, ["Sec-WebSocket-Protocol", "superchat"]] },
    {
      name: "with an offered extension and parameters of its own",
      headers: [...SWITCH, ["Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover"]],
    },
    { name: "with an empty list of extensions", headers: [...SWITCH, ["Sec-WebSocket-Extensions", ""]] },
  ])("passes $name", ({ headers }) => {
    expect(checkSwitch(OFFERED, headers, SHAPE).ok).toBe(true);
  });

  test("goes on with Connection and Upgrade of our own, without what is of that hop, and with Via", () => {
    const headers: HeaderPair[] = [
      ["Date", "Sat, 21 Nov 2026 09:00:00 GMT"],
      ["upgrade", "WebSocket"],
      ["connection", "upgrade, x-hop"],
      ["X-Hop", "1"],
      ["Keep-Alive", "timeout=5"],
      ["Content-Length", "0"],
      ["holdfast-error", "HF_FAKE"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
      ["sec-websocket-accept", ACCEPT],
      ["Sec-WebSocket-Protocol", "chat"],
    ];
    expect(checkSwitch(OFFERED, headers, SHAPE)).toEqual({
      ok: true,
      headers: [
        ["Upgrade", "websocket"],
        ["Connection", "Upgrade"],
        ["Date", "Sat, 21 Nov 2026 09:00:00 GMT"],
        ["Set-Cookie", "a=1"],
        ["Set-Cookie", "b=2"],
        ["sec-websocket-accept", ACCEPT],
        ["Sec-WebSocket-Protocol", "chat"],
        ["Via", "1.1 holdfast-0123abcd"],
      ],
      negotiated: { subprotocol: "chat", reservedBits: 0 },
    });
  });

  test("goes on without a Transfer-Encoding", () => {
    const checked = checkSwitch(OFFERED, [...SWITCH, ["Transfer-Encoding", "chunked"]], SHAPE);
    expect(checked.ok && checked.headers.flat()).not.toContain("chunked");
  });

  test("bears the rule's edits", () => {
    const edits = {
      set: [{ name: "Server", value: "x" }],
      add: [{ name: "X-A", value: "1" }],
      remove: ["x-powered-by"],
    };
    const headers: HeaderPair[] = [...SWITCH, ["Server", "y"], ["X-Powered-By", "z"]];
    const checked = checkSwitch(OFFERED, headers, { ...SHAPE, edits });
    expect(checked.ok && checked.headers.slice(2)).toEqual([
      ["Sec-WebSocket-Accept", ACCEPT],
      ["Server", "x"],
      ["X-A", "1"],
      ["Via", "1.1 holdfast-0123abcd"],
    ]);
  });

  test("cannot lose its accept value to its own Connection header", () => {
    const headers: HeaderPair[] = [
      ["Upgrade", "websocket"],
      ["Connection", "Upgrade, Sec-WebSocket-Accept"],
      ["Sec-WebSocket-Accept", ACCEPT],
    ];
    const checked = checkSwitch(OFFERED, headers, SHAPE);
    expect(checked.ok && checked.headers).toContainEqual(["Sec-WebSocket-Accept", ACCEPT]);
  });
});

describe("a 101 that does not answer the handshake", () => {
  test.for<{ name: string; headers: HeaderPair[]; offered?: Partial<OfferedHandshake> }>([
    { name: "without Upgrade", headers: without("Upgrade") },
    { name: "with another Upgrade", headers: [...without("Upgrade"), ["Upgrade", "h2c"]] },
    { name: "without Connection", headers: without("Connection") },
    {
      name: "with a Connection that does not name Upgrade",
      headers: [...without("Connection"), ["Connection", "keep-alive"]],
    },
    { name: "without an accept value", headers: without("Sec-WebSocket-Accept") },
    { name: "with two accept values", headers: [...SWITCH, ["Sec-WebSocket-Accept", ACCEPT]] },
    { name: "with the accept value of another key", headers: SWITCH, offered: { key: "AAAAAAAAAAAAAAAAAAAAAA==" } },
    {
      name: "with an accept value in the wrong case",
      headers: [...without("Sec-WebSocket-Accept"), ["Sec-WebSocket-Accept", ACCEPT.toLowerCase()]],
    },
    { name: "with a subprotocol nobody offered", headers: [...SWITCH, ["Sec-WebSocket-Protocol", "mqtt"]] },
    { name: "with an offered subprotocol in another case", headers: [...SWITCH, ["Sec-WebSocket-Protocol", "Chat"]] },
    {
      name: "with a subprotocol when none was offered",
      headers: [...SWITCH, ["Sec-WebSocket-Protocol", "chat"]],
      offered: { subprotocols: [] },
    },
    {
      name: "with two subprotocols",
      headers: [...SWITCH, ["Sec-WebSocket-Protocol", "chat"], ["Sec-WebSocket-Protocol", "superchat"]],
    },
    {
      name: "with the whole list of subprotocols",
      headers: [...SWITCH, ["Sec-WebSocket-Protocol", "chat, superchat"]],
    },
    { name: "with an empty subprotocol", headers: [...SWITCH, ["Sec-WebSocket-Protocol", ""]] },
    {
      name: "with an extension nobody offered",
      headers: [...SWITCH, ["Sec-WebSocket-Extensions", "permessage-deflate, x-bzip"]],
    },
    {
      name: "with an extension when none was offered",
      headers: [...SWITCH, ["Sec-WebSocket-Extensions", "permessage-deflate"]],
      offered: { extensions: [] },
    },
    { name: "with nothing", headers: [] },
  ])("is refused $name", ({ headers, offered }) => {
    const checked = checkSwitch({ ...OFFERED, ...offered }, headers, SHAPE);
    expect(checked).toEqual({ ok: false, detail: expect.stringMatching(/^[ -~]{10,}$/) });
  });
});
