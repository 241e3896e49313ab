import { describe, expect, test } from "vitest";
import type { HeaderEdits } from "../routing/index.ts";
import { readFields } from "./request-fields.ts";
import { requestHeaders } from "./request-headers.ts";
import type { HeaderPair } from "./types.ts";

interface Given {
  readonly headers: readonly HeaderPair[];
  readonly isUpgrade?: boolean;
  readonly host?: string;
  readonly edits?: Partial<HeaderEdits>;
}

function sent({ headers, isUpgrade = false, host = "chat.example:8020", edits }: Given): HeaderPair[] {
  const read = readFields(headers);
  if (!read.ok) throw new Error(read.detail);
  return requestHeaders({
    headers,
    fields: read.fields,
    isUpgrade,
    host,
    edits: edits === undefined ? undefined : { set: [], add: [], remove: [], ...edits },
    provenance: {
      clientAddress: "192.0.2.7",
      scheme: "http",
      authority: "chat.example:8020",
      httpVersion: "1.1",
      pseudonym: "holdfast-0123abcd",
      hops: [],
    },
  });
}

const MADE: HeaderPair[] = [
  ["X-Forwarded-For", "192.0.2.7"],
  ["X-Forwarded-Proto", "http"],
  ["X-Forwarded-Host", "chat.example:8020"],
  ["Forwarded", 'for=192.0.2.7;host="chat.example:8020";proto=http'],
  ["Via", "1.1 holdfast-0123abcd"],
];

test("what passes keeps its order, spelling and repetitions", () => {
  const headers: HeaderPair[] = [
    ["hOsT", "chat.example:8020"],
    ["X-B", "2"],
    ["x-a", "1"],
    ["X-B", "3"],
    ["Cookie", "a=1"],
    ["Accept", ""],
  ];
  expect(sent({ headers })).toEqual([...headers, ...MADE]);
});

test("Host stays where it was and says what the rule puts in its place", () => {
  const headers: HeaderPair[] = [
    ["A", "1"],
    ["Host", "chat.example:8020"],
    ["B", "2"],
  ];
  expect(sent({ headers, host: "internal.example" }).slice(0, 3)).toEqual([
    ["A", "1"],
    ["Host", "internal.example"],
    ["B", "2"],
  ]);
});

describe("dropped on the way to a backend", () => {
  test.for([
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authorization",
    "Proxy-Authenticate",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "HTTP2-Settings",
    "Expect",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-User",
    "X_Forwarded_For",
    "x_forwarded-host",
    "X-Real-IP",
    "X_Real_IP",
    "Forwarded",
    "Via",
    "holdfast-reattach",
    "Holdfast-Error",
    "HOLDFAST_reattach",
  ])("%s, as a stranger said it", (name) => {
    expect(
      sent({
        headers: [
          ["Host", "a"],
          [name, "stranger"],
          [name.toUpperCase(), "stranger"],
        ],
      }).flat(),
    ).not.toContain("stranger");
  });

  test("what Connection nominates, in any spelling and on any line", () => {
    const headers: HeaderPair[] = [
      ["X-Hop", "1"],
      ["Connection", "close, x-HOP"],
      ["x-hop", "2"],
      ["X-Other", "3"],
      ["Connection", "x-other"],
    ];
    expect(sent({ headers })).toEqual(MADE);
  });
});

test("Connection cannot nominate away what the request was matched, framed and checked by", () => {
  const headers: HeaderPair[] = [
    ["Host", "chat.example:8020"],
    ["Content-Length", "5"],
    ["Cookie", "a=1"],
    ["Authorization", "Bearer x"],
    ["Origin", "https://a.example"],
    ["Connection", "host, content-length, cookie, authorization, origin, x-forwarded-for, via"],
  ];
  expect(sent({ headers })).toEqual([...headers.slice(0, 5), ...MADE]);
});

describe("the body", () => {
  test("Content-Length of a plain request passes", () => {
    expect(sent({ headers: [["Content-Length", "5"]] })).toEqual([["Content-Length", "5"], ...MADE]);
  });

  test("a chunked body leaves no framing header: whoever sends it on frames it", () => {
    expect(sent({ headers: [["Transfer-Encoding", "chunked"]] })).toEqual(MADE);
  });
});

describe("a handshake", () => {
  test("has Connection and Upgrade of our own and keeps Sec-WebSocket-*", () => {
    const webSocket: HeaderPair[] = [
      ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
      ["Sec-WebSocket-Version", "13"],
      ["sec-websocket-protocol", "chat, superchat"],
      ["Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"],
    ];
    const headers: HeaderPair[] = [
      ["Connection", "keep-alive, Upgrade, X-Hop"],
      ["Upgrade", "h2c, WebSocket"],
      ["X-Hop", "1"],
      ...webSocket,
      ["Content-Length", "0"],
    ];
    expect(sent({ headers, isUpgrade: true })).toEqual([
      ...webSocket,
      ["Connection", "Upgrade"],
      ["Upgrade", "websocket"],
      ...MADE,
    ]);
  });

  test("keeps Sec-WebSocket-* even if Connection nominates them", () => {
    const headers: HeaderPair[] = [
      ["Connection", "Upgrade, Sec-WebSocket-Protocol"],
      ["Upgrade", "websocket"],
      ["Sec-WebSocket-Protocol", "chat"],
    ];
    expect(sent({ headers, isUpgrade: true })).toContainEqual(["Sec-WebSocket-Protocol", "chat"]);
  });
});

describe("a rule's edits", () => {
  test.for<{ name: string; edits: Partial<HeaderEdits>; want: HeaderPair[] }>([
    { name: "remove takes every line in any spelling", edits: { remove: ["x-A"] }, want: [["B", "3"]] },
    {
      name: "set replaces every line",
      edits: { set: [{ name: "X-a", value: "9" }] },
      want: [
        ["B", "3"],
        ["X-a", "9"],
      ],
    },
    {
      name: "set of a new name adds it",
      edits: { set: [{ name: "C", value: "9" }] },
      want: [
        ["X-A", "1"],
        ["x-a", "2"],
        ["B", "3"],
        ["C", "9"],
      ],
    },
    {
      name: "add leaves what was there",
      edits: { add: [{ name: "X-A", value: "9" }] },
      want: [
        ["X-A", "1"],
        ["x-a", "2"],
        ["B", "3"],
        ["X-A", "9"],
      ],
    },
    {
      name: "remove, set and add go together",
      edits: { remove: ["b"], set: [{ name: "x-a", value: "8" }], add: [{ name: "x-a", value: "9" }] },
      want: [
        ["x-a", "8"],
        ["x-a", "9"],
      ],
    },
  ])("$name", ({ edits, want }) => {
    expect(
      sent({
        headers: [
          ["X-A", "1"],
          ["x-a", "2"],
          ["B", "3"],
        ],
        edits,
      }),
    ).toEqual([...want, ...MADE]);
  });

  test("a header that a rule sets is not nominated away by the client", () => {
    const headers: HeaderPair[] = [
      ["Connection", "x-tenant"],
      ["X-Tenant", "stranger"],
    ];
    expect(sent({ headers, edits: { set: [{ name: "X-Tenant", value: "apps" }] } })).toEqual([
      ["X-Tenant", "apps"],
      ...MADE,
    ]);
  });

  test("do not change the rule or the received headers", () => {
    const headers: HeaderPair[] = [["A", "1"]];
    const edits = { set: [{ name: "B", value: "2" }] };
    sent({ headers, edits });
    expect(sent({ headers, edits })).toEqual([["A", "1"], ["B", "2"], ...MADE]);
    expect(headers).toHaveLength(1);
  });
});
