import { createServer } from "node:http";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headerLines, mutate, mutations } from "./hostile-heads.fixture.ts";
import { handshakeHead } from "./proxy.fixture.ts";
import { pairsOf } from "./raw-headers.ts";
import type { ReceivedHead } from "./types.ts";
import { readUpgradeHead } from "./upgrade-head.ts";

const LIMIT = 16 * 1024;
const LIMITS = { maxHeadBytes: LIMIT, maxHeaders: 500 };
const GET = "GET /chat?room=1 HTTP/1.1";
/** What makes a request one for a WebSocket. */
const SWITCH = ["Connection: Upgrade", "Upgrade: websocket"];

/** A character per byte. */
function request(lines: readonly string[], early = ""): Buffer {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${early}`, "latin1");
}

interface Reading {
  readonly head: ReceivedHead;
  readonly early: string;
}

function ourReading(bytes: Buffer, maxHeadBytes: number): Reading | undefined {
  const read = readUpgradeHead(bytes, { ...LIMITS, maxHeadBytes });
  return read && { head: read.head, early: bytes.subarray(read.size).toString("latin1") };
}

/** What Node's strict HTTP server makes of a connection that begins so; undefined = anything but an upgrade. */
async function nodeReading(bytes: Buffer, maxHeaderSize: number): Promise<Reading | undefined> {
  const server = createServer({ maxHeaderSize, insecureHTTPParser: false, requireHostHeader: false });
  server.maxHeadersCount = 0;
  let reading: Reading | undefined;
  server.on("upgrade", ({ method = "", url = "", rawHeaders, httpVersion }, _socket, early) => {
    reading = {
      head: { method, target: url, headers: pairsOf(rawHeaders), httpVersion },
      early: early.toString("latin1"),
    };
  });
  server.on("clientError", () => {});
  const connection = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  server.emit(
    "connection",
    connection.on("error", () => {}),
  );
  connection.push(bytes);
  await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
  connection.destroy();
  return reading;
}

describe("the everyday request is read here, as Node's parser reads it:", () => {
  test.for([
    { name: "of a browser", lines: [GET, "Host: a.example", ...SWITCH, "Origin: https://a.example"] },
    { name: "upgrade before connection", lines: [GET, "Upgrade: websocket", "Connection: Upgrade", "X: y"] },
    { name: "in a spelling of its own", lines: [GET, "UPGRADE: WebSocket", "cOnnection: UPGRADE"] },
    { name: "among other options", lines: [GET, "Connection: keep-alive, Upgrade", "Upgrade: websocket"] },
    { name: "to the root", lines: ["GET / HTTP/1.1", ...SWITCH] },
    { name: "with escapes in its target", lines: ["GET /a%2fb/%zz;c=d?e=%20&f=?/ HTTP/1.1", ...SWITCH] },
    { name: "with high bytes in a value", lines: [GET, ...SWITCH, "X-Name: \xff\xa0 \x80"] },
    { name: "with space around values", lines: [GET, "Connection: \t Upgrade \t", "Upgrade:websocket"] },
    { name: "with empty values", lines: [GET, ...SWITCH, "X-Empty:", "X-Space: \t "] },
    { name: "with one name twice", lines: [GET, ...SWITCH, "Host: a", "host: b"] },
    { name: "with names that objects have", lines: [GET, ...SWITCH, "__proto__: x", "constructor: y"] },
    { name: "with many headers", lines: [GET, ...SWITCH, ...Array.from({ length: 300 }, (_, i) => `X-${i}: ${i}`)] },
  ])("$name", async ({ lines }) => {
    for (const early of ["", "\x81\x82abcdhi", "\r\n\r\n", `${GET}\r\n\r\n`, "\0".repeat(LIMIT)]) {
      const bytes = request(lines, early);
      const reading = ourReading(bytes, LIMIT);
      expect(reading).toMatchObject({ early, head: { method: "GET", httpVersion: "1.1" } });
      expect(reading).toEqual(await nodeReading(bytes, LIMIT));
    }
  });
});

describe("is left to a full parser:", () => {
  test.for([
    { name: "another method", lines: ["POST / HTTP/1.1", ...SWITCH] },
    { name: "a method in lower case", lines: ["get / HTTP/1.1", ...SWITCH] },
    { name: "HTTP/1.0", lines: ["GET / HTTP/1.0", ...SWITCH] },
    { name: "HTTP/1.2", lines: ["GET / HTTP/1.2", ...SWITCH] },
    { name: "HTTP/1.10", lines: ["GET / HTTP/1.10", ...SWITCH] },
    { name: "http in lower case", lines: ["GET / http/1.1", ...SWITCH] },
    { name: "no version", lines: ["GET /", ...SWITCH] },
    { name: "an absolute target", lines: ["GET http://a.example/ HTTP/1.1", ...SWITCH] },
    { name: "no target", lines: ["GET  HTTP/1.1", ...SWITCH] },
    { name: "two spaces before the target", lines: ["GET  / HTTP/1.1", ...SWITCH] },
    { name: "two spaces behind the target", lines: ["GET /  HTTP/1.1", ...SWITCH] },
    { name: "a space in the target", lines: ["GET /a b HTTP/1.1", ...SWITCH] },
    { name: "a tab in the target", lines: ["GET /a\tb HTTP/1.1", ...SWITCH] },
    { name: "a fragment in the target", lines: ["GET /a#b HTTP/1.1", ...SWITCH] },
    { name: "a high byte in the target", lines: ["GET /\xe9 HTTP/1.1", ...SWITCH] },
    { name: "a quote in the target", lines: ['GET /" HTTP/1.1', ...SWITCH] },
    { name: "an empty line first", lines: ["", GET, ...SWITCH] },
    { name: "a folded line", lines: [GET, ...SWITCH, "X: a", " b"] },
    { name: "a line that a tab begins", lines: [GET, ...SWITCH, "\tX: a"] },
    { name: "no colon", lines: [GET, ...SWITCH, "X"] },
    { name: "no name", lines: [GET, ...SWITCH, ": a"] },
    { name: "space before a colon", lines: [GET, ...SWITCH, "X : a"] },
    { name: "NUL in a value", lines: [GET, ...SWITCH, "X: a\0b"] },
    { name: "LF alone in a value", lines: [GET, ...SWITCH, "X: a\nY: b"] },
    { name: "CR alone in a value", lines: [GET, ...SWITCH, "X: a\rY: b"] },
    { name: "CR before CRLF", lines: [GET, ...SWITCH, "X: a\r"] },
    { name: "a body by length", lines: [GET, ...SWITCH, "Content-Length: 5"] },
    { name: "a length of 0", lines: [GET, ...SWITCH, "content-length: 0"] },
    { name: "a body in chunks", lines: [GET, ...SWITCH, "Transfer-Encoding: chunked"] },
    { name: "a second spelling of Connection", lines: [GET, ...SWITCH, "Proxy-Connection: close"] },
    { name: "no Upgrade", lines: [GET, "Connection: Upgrade"] },
    { name: "no Connection", lines: [GET, "Upgrade: websocket"] },
    { name: "an upgrade to something else", lines: [GET, "Connection: Upgrade", "Upgrade: h2c"] },
    { name: "no headers", lines: [GET] },
    { name: "too many headers", lines: [GET, ...SWITCH, ...Array.from({ length: 500 }, (_, i) => `X-${i}: ${i}`)] },
  ])("$name", ({ lines }) => {
    expect(readUpgradeHead(request(lines, "\x81\x82abcdhi"), LIMITS)).toBeUndefined();
  });

  test("line ends without CR", () => {
    const head = handshakeHead();
    expect(readUpgradeHead(Buffer.from(head.replaceAll("\r\n", "\n"), "latin1"), LIMITS)).toBeUndefined();
    expect(readUpgradeHead(Buffer.from(head.replace("\r\n\r\n", "\n\n"), "latin1"), LIMITS)).toBeUndefined();
  });

  test("a head that is not whole, wherever it is cut", () => {
    const head = Buffer.from(handshakeHead(), "latin1");
    for (let size = 0; size < head.length; size += 1) {
      expect(readUpgradeHead(head.subarray(0, size), LIMITS)).toBeUndefined();
    }
    expect(readUpgradeHead(head, LIMITS)?.size).toBe(head.length);
  });

  test("a head above the limit, although it is whole", () => {
    const head = Buffer.from(handshakeHead([`X: ${"x".repeat(1_000)}`]), "latin1");
    const within = (maxHeadBytes: number): number | undefined =>
      readUpgradeHead(head, { ...LIMITS, maxHeadBytes })?.size;
    expect(within(head.length)).toBe(head.length);
    expect(within(head.length - 1)).toBeUndefined();
  });
});

const requestLines = fc.oneof(
  { weight: 6, arbitrary: fc.constant(GET) },
  fc.constantFrom(
    ...[
      ["GET / HTTP/1.1 ", "GET /\tHTTP/1.1", "GET\t/ HTTP/1.1", "GET / HTTP/1.1\t", "GET * HTTP/1.1", "GET a HTTP/1.1"],
      [
        "GET http://x/ HTTP/1.1",
        "GET // HTTP/1.1",
        "GET /? HTTP/1.1",
        "GET /?# HTTP/1.1",
        "GET /~;:@!$&'()*+,= HTTP/1.1",
      ],
      [
        "GET /[x] HTTP/1.1",
        "GET /{x} HTTP/1.1",
        "GET /^ HTTP/1.1",
        "GET /| HTTP/1.1",
        "GET /` HTTP/1.1",
        "GET /\\ HTTP/1.1",
      ],
      ["PRI * HTTP/2.0", "SOURCE / ICE/1.0", "GET / ICE/1.0", "GET / RTSP/1.0", "POST / HTTP/1.1", "GET / HTTP/0.9"],
    ].flat(),
  ),
);

const nearlyUpgrades = fc
  .record({
    first: requestLines,
    lines: fc.tuple(fc.constantFrom(SWITCH, SWITCH, []), fc.array(headerLines, { maxLength: 5 })),
    early: fc.constantFrom("", "\x81\x82abcdhi", "\r\n", "\n", "x"),
    changes: fc.array(mutations, { maxLength: 2 }),
  })
  .map(({ first, lines, early, changes }) => {
    const text = request([first, ...lines.flat()], early).toString("latin1");
    return Buffer.from(changes.reduce(mutate, text), "latin1");
  });

test("whatever is read here, Node's strict parser reads the same: head, early bytes, and that it is an upgrade", async () => {
  const count = { upgrades: 0, other: 0 };
  await fc.assert(
    fc.asyncProperty(nearlyUpgrades, fc.constantFrom(LIMIT, LIMIT, 60, 120), async (nearly, limit) => {
      const ours = ourReading(nearly, limit);
      count[ours === undefined ? "other" : "upgrades"] += 1;
      if (ours !== undefined) expect(ours).toEqual(await nodeReading(nearly, limit));
    }),
    { numRuns: 10_000 },
  );
  // The cases are near enough to what they imitate.
  expect(count.upgrades).toBeGreaterThan(300);
  expect(count.other).toBeGreaterThan(300);
});

test("nothing that is broken is ever read here, and nothing makes it throw", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (garbage, isBehindMethod) => {
      const whole = Buffer.concat([Buffer.from(isBehindMethod ? GET : ""), garbage]);
      expect(readUpgradeHead(whole, LIMITS)).toBeUndefined();
    }),
  );
});
