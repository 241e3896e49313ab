import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { refusalHeaders, responseHeaders } from "./response-headers.ts";
import type { HeaderPair } from "./types.ts";

const SHAPE = { edits: undefined, pseudonym: "holdfast-0123abcd" };
const VIA: HeaderPair = ["Via", "1.1 holdfast-0123abcd"];

test("what passes keeps its order, spelling and repetitions, and our Via comes last", () => {
  const headers: HeaderPair[] = [
    ["Content-Type", "text/event-stream"],
    ["set-cookie", "a=1"],
    ["Set-Cookie", "b=2"],
    ["Via", "1.1 cache"],
    ["X-Latin", "\xe9"],
  ];
  expect(responseHeaders(200, headers, SHAPE)).toEqual([...headers, VIA]);
});

describe("dropped on the way to the client", () => {
  test.for([
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "Proxy-Authentication-Info",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "holdfast-error",
    "Holdfast-Anything",
  ])("%s", (name) => {
    expect(
      responseHeaders(
        200,
        [
          [name, "x"],
          [name.toLowerCase(), "x"],
        ],
        SHAPE,
      ),
    ).toEqual([VIA]);
  });

  test("what Connection nominates, but not what every client needs", () => {
    const headers: HeaderPair[] = [
      ["Connection", "close, x-hop, set-cookie, content-length"],
      ["X-Hop", "1"],
      ["Set-Cookie", "a=1"],
      ["Content-Length", "3"],
    ];
    expect(responseHeaders(200, headers, SHAPE)).toEqual([["Set-Cookie", "a=1"], ["Content-Length", "3"], VIA]);
  });

  test.for<{ name: string; header: HeaderPair }>([
    { name: "a line break in a value", header: ["X-A", "a\r\nSet-Cookie: b"] },
    { name: "a NUL in a value", header: ["X-A", "a\0"] },
    { name: "a character beyond one byte", header: ["X-A", "\u010a"] },
    { name: "a name that is no token", header: ["X A", "a"] },
  ])("a header that cannot be written: $name", ({ header }) => {
    expect(responseHeaders(200, [header], SHAPE)).toEqual([VIA]);
  });
});

describe("Content-Length", () => {
  test.for<{ name: string; headers: HeaderPair[]; want: HeaderPair[] }>([
    { name: "passes when there is one", headers: [["content-length", "5"]], want: [["content-length", "5"]] },
    {
      name: "is said once when it was said twice alike",
      headers: [
        ["Content-Length", "5"],
        ["Content-Length", "5"],
      ],
      want: [["Content-Length", "5"]],
    },
    {
      name: "goes when two differ",
      headers: [
        ["Content-Length", "5"],
        ["Content-Length", "6"],
      ],
      want: [],
    },
    {
      name: "goes beside Transfer-Encoding",
      headers: [
        ["Content-Length", "5"],
        ["Transfer-Encoding", "chunked"],
      ],
      want: [],
    },
    { name: "goes when it is no number", headers: [["Content-Length", "5, 5"]], want: [] },
  ])("$name", ({ headers, want }) => {
    expect(responseHeaders(200, headers, SHAPE)).toEqual([...want, VIA]);
  });
});

test("a 204 has no Content-Length, a 304 keeps the one it speaks of", () => {
  expect(responseHeaders(204, [["Content-Length", "5"]], SHAPE)).toEqual([VIA]);
  expect(responseHeaders(304, [["Content-Length", "5"]], SHAPE)).toEqual([["Content-Length", "5"], VIA]);
});

test("the rule's edits apply before our Via", () => {
  const edits = { set: [{ name: "Server", value: "x" }], add: [{ name: "X-A", value: "1" }], remove: ["x-powered-by"] };
  const headers: HeaderPair[] = [
    ["Server", "y"],
    ["X-Powered-By", "z"],
    ["X-A", "0"],
  ];
  expect(responseHeaders(200, headers, { ...SHAPE, edits })).toEqual([
    ["X-A", "0"],
    ["Server", "x"],
    ["X-A", "1"],
    VIA,
  ]);
});

describe("a backend's refusal", () => {
  test("keeps status headers such as Location and WWW-Authenticate", () => {
    const headers: HeaderPair[] = [
      ["WWW-Authenticate", "Bearer"],
      ["Location", "/login"],
      ["Connection", "close"],
      ["Content-Length", "2"],
    ];
    expect(refusalHeaders(401, headers, SHAPE)).toEqual([
      ["WWW-Authenticate", "Bearer"],
      ["Location", "/login"],
      ["Content-Length", "2"],
      VIA,
    ]);
  });

  test("a 426 still says that it wants websocket, and which version", () => {
    const headers: HeaderPair[] = [
      ["Upgrade", "WebSocket"],
      ["Connection", "upgrade, close"],
      ["Sec-WebSocket-Version", "13, 8"],
    ];
    expect(refusalHeaders(426, headers, SHAPE)).toEqual([
      ["Sec-WebSocket-Version", "13, 8"],
      ["Connection", "Upgrade"],
      ["Upgrade", "websocket"],
      VIA,
    ]);
  });

  test("a 426 that wants something else does not pass that on", () => {
    expect(
      refusalHeaders(
        426,
        [
          ["Upgrade", "TLS/1.2"],
          ["Connection", "upgrade"],
        ],
        SHAPE,
      ),
    ).toEqual([VIA]);
  });

  test("an advertised upgrade of another status does not pass", () => {
    expect(
      refusalHeaders(
        403,
        [
          ["Upgrade", "websocket"],
          ["Connection", "upgrade"],
        ],
        SHAPE,
      ),
    ).toEqual([VIA]);
  });
});

test("whatever a backend sends can be written as a head", () => {
  const pair = fc.tuple(fc.string({ unit: "binary", maxLength: 12 }), fc.string({ unit: "binary", maxLength: 12 }));
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fc.array(pair), (status, headers) => {
      for (const [name, value] of responseHeaders(status, headers, SHAPE)) {
        expect(name).toMatch(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/);
        expect(value).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/);
      }
    }),
  );
});
