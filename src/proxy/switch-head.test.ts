import { request } from "node:http";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headerLines, mutate, mutations } from "./hostile-heads.fixture.ts";
import { switchHead } from "./proxy.fixture.ts";
import { readSwitchHead } from "./switch-head.ts";

const LIMIT = 16 * 1024;
const OK = "HTTP/1.1 101 Switching Protocols";
/** What makes a 101 one to WebSocket. */
const SWITCH = ["Connection: Upgrade", "Upgrade: websocket"];

/** A character per byte. */
function answer(lines: readonly string[], early = ""): Buffer {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${early}`, "latin1");
}

type Reading =
  | { readonly kind: "switched"; readonly headers: readonly string[]; readonly early: string }
  | { readonly kind: "answered"; readonly status: number | undefined }
  | { readonly kind: "failed"; readonly code: string | undefined }
  | { readonly kind: "waits" };

function ourReading(bytes: Buffer, maxHeadBytes: number): Reading | undefined {
  const head = readSwitchHead(bytes, maxHeadBytes);
  if (head === undefined) return undefined;
  return { kind: "switched", headers: head.headers.flat(), early: bytes.subarray(head.size).toString("latin1") };
}

/** What Node's strict HTTP client makes of an answer that begins so. */
async function nodeReading(bytes: Buffer, maxHeaderSize: number): Promise<Reading> {
  let reading: Reading = { kind: "waits" };
  const connection = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  const client = request({ createConnection: () => connection, maxHeaderSize, insecureHTTPParser: false });
  client.maxHeadersCount = 0;
  const settled = new Promise<void>((resolve) => {
    const settle = (settledAs: Reading): void => {
      if (reading.kind === "waits") reading = settledAs;
      resolve();
    };
    client.on("error", (error: NodeJS.ErrnoException) => settle({ kind: "failed", code: error.code }));
    client.on("upgrade", ({ rawHeaders }, _connection, early) => {
      settle({ kind: "switched", headers: rawHeaders, early: early.toString("latin1") });
    });
    client.on("response", (response) => {
      response.on("error", () => {});
      settle({ kind: "answered", status: response.statusCode });
    });
  });
  client.end();
  connection.on("error", () => {}).push(bytes);
  // All bytes are there already: whoever has said nothing two turns later waits for more of them.
  const twoTurns = new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
  await Promise.race([settled, twoTurns]);
  connection.destroy();
  return reading;
}

describe("the everyday 101 is read here, as Node's parser reads it:", () => {
  test.for([
    { name: "upgrade before connection", lines: [OK, "Upgrade: websocket", "Connection: Upgrade", "X: y"] },
    { name: "in lower case", lines: [OK, "upgrade: websocket", "connection: upgrade"] },
    { name: "in a spelling of its own", lines: [OK, "UPGRADE: WebSocket", "cOnnection: UPGRADE"] },
    { name: "among other options", lines: [OK, "Connection: keep-alive, Upgrade", "Upgrade: websocket"] },
    { name: "without a reason", lines: ["HTTP/1.1 101", ...SWITCH] },
    { name: "with an empty reason", lines: ["HTTP/1.1 101 ", ...SWITCH] },
    { name: "with a tab and high bytes in its reason", lines: ["HTTP/1.1 101 Protokollwechs\xe9l\t!", ...SWITCH] },
    { name: "with high bytes in a value", lines: [OK, ...SWITCH, "X-Name: \xff\xa0 \x80"] },
    { name: "with space around values", lines: [OK, "Connection: \t Upgrade \t", "Upgrade:websocket"] },
    { name: "with empty values", lines: [OK, ...SWITCH, "X-Empty:", "X-Space: \t "] },
    { name: "with colons in a value", lines: [OK, ...SWITCH, "X-Url: http://a:80/"] },
    { name: "with one name twice", lines: [OK, ...SWITCH, "Set-Cookie: a=1", "set-cookie: b=2"] },
    { name: "with names that objects have", lines: [OK, ...SWITCH, "__proto__: x", "constructor: y"] },
    { name: "with many headers", lines: [OK, ...SWITCH, ...Array.from({ length: 300 }, (_, i) => `X-${i}: ${i}`)] },
  ])("$name", async ({ lines }) => {
    for (const early of ["", "\x81\x02hi", "\r\n\r\n", `${OK}\r\n\r\n`, "\0".repeat(LIMIT)]) {
      const bytes = answer(lines, early);
      const reading = ourReading(bytes, LIMIT);
      expect(reading).toMatchObject({ kind: "switched", early });
      expect(reading).toEqual(await nodeReading(bytes, LIMIT));
    }
  });
});

describe("is left to a full parser:", () => {
  test.for([
    { name: "another status", lines: ["HTTP/1.1 401 Unauthorized", ...SWITCH] },
    { name: "an interim answer", lines: ["HTTP/1.1 103 Early Hints", "Link: x"] },
    { name: "status 1010", lines: ["HTTP/1.1 1010 OK", ...SWITCH] },
    { name: "status 101 in HTTP/1.0", lines: ["HTTP/1.0 101 OK", ...SWITCH] },
    { name: "http in lower case", lines: ["http/1.1 101 OK", ...SWITCH] },
    { name: "two spaces before the status", lines: ["HTTP/1.1  101 OK", ...SWITCH] },
    { name: "a tab behind the status", lines: ["HTTP/1.1 101\tOK", ...SWITCH] },
    { name: "an empty line first", lines: ["", OK, ...SWITCH] },
    { name: "NUL in the reason", lines: ["HTTP/1.1 101 O\0K", ...SWITCH] },
    { name: "CR in the reason", lines: ["HTTP/1.1 101 O\rK", ...SWITCH] },
    { name: "a folded line", lines: [OK, ...SWITCH, "X: a", " b"] },
    { name: "a line that a tab begins", lines: [OK, ...SWITCH, "\tX: a"] },
    { name: "no colon", lines: [OK, ...SWITCH, "X"] },
    { name: "no name", lines: [OK, ...SWITCH, ": a"] },
    { name: "space before a colon", lines: [OK, ...SWITCH, "X : a"] },
    { name: "space in a name", lines: [OK, ...SWITCH, "X Y: a"] },
    { name: "a high byte in a name", lines: [OK, ...SWITCH, "X\xe9: a"] },
    { name: "NUL in a value", lines: [OK, ...SWITCH, "X: a\0b"] },
    { name: "LF alone in a value", lines: [OK, ...SWITCH, "X: a\nY: b"] },
    { name: "CR alone in a value", lines: [OK, ...SWITCH, "X: a\rY: b"] },
    { name: "CR before CRLF", lines: [OK, ...SWITCH, "X: a\r"] },
    { name: "DEL in a value", lines: [OK, ...SWITCH, "X: a\x7f"] },
    { name: "a body by length", lines: [OK, ...SWITCH, "Content-Length: 5"] },
    { name: "a length that is none", lines: [OK, ...SWITCH, "content-length: x"] },
    { name: "a body in chunks", lines: [OK, ...SWITCH, "Transfer-Encoding: chunked"] },
    { name: "no Upgrade", lines: [OK, "Connection: Upgrade"] },
    { name: "no Connection", lines: [OK, "Upgrade: websocket"] },
    { name: "an upgrade to something else", lines: [OK, "Connection: Upgrade", "Upgrade: h2c"] },
    { name: "upgrade as a part of another option", lines: [OK, "Connection: upgraded", "Upgrade: websocket"] },
    { name: "no headers", lines: [OK] },
  ])("$name", ({ lines }) => {
    expect(readSwitchHead(answer(lines, "\x81\x02hi"), LIMIT)).toBeUndefined();
  });

  test("line ends without CR", () => {
    expect(readSwitchHead(Buffer.from(switchHead().replaceAll("\r\n", "\n"), "latin1"), LIMIT)).toBeUndefined();
    expect(readSwitchHead(Buffer.from(switchHead().replace("\r\n\r\n", "\n\n"), "latin1"), LIMIT)).toBeUndefined();
  });

  test("a head that is not whole, wherever it is cut", () => {
    const head = Buffer.from(switchHead(), "latin1");
    for (let size = 0; size < head.length; size += 1) {
      expect(readSwitchHead(head.subarray(0, size), LIMIT)).toBeUndefined();
    }
    expect(readSwitchHead(head, LIMIT)?.size).toBe(head.length);
  });

  test("a head above the limit, although it is whole", () => {
    const head = Buffer.from(switchHead([`X: ${"x".repeat(1_000)}`]), "latin1");
    expect(readSwitchHead(head, head.length)?.size).toBe(head.length);
    expect(readSwitchHead(head, head.length - 1)).toBeUndefined();
    expect(readSwitchHead(Buffer.concat([head, Buffer.alloc(LIMIT)]), head.length)?.size).toBe(head.length);
  });
});

const statusLines = fc.oneof(
  { weight: 6, arbitrary: fc.constant(OK) },
  fc.constantFrom(
    ...[
      ["HTTP/1.1 101", "HTTP/1.1 101 ", "HTTP/1.1 1010", "HTTP/1.1 101\t", "HTTP/1.1  101 x", "HTTP/1.1 101  x"],
      ["http/1.1 101 x", "HTTP/1.0 101 x", "HTTP/1.1 101 \xff\x80", "HTTP/1.1 101 a\0", "HTTP/1.1 101 a\tb"],
      ["HTTP/1.1 101 a\x7f", "\r\nHTTP/1.1 101 x", "HTTP/1.1 200 OK", "HTTP/1.1 100 x", "HTTP/1.1 010 1"],
    ].flat(),
  ),
);
const nearlySwitches = fc
  .record({
    status: statusLines,
    lines: fc.tuple(fc.constantFrom(SWITCH, SWITCH, []), fc.array(headerLines, { maxLength: 5 })),
    early: fc.constantFrom("", "\x81\x02hi", "\r\n", "\n", "x"),
    changes: fc.array(mutations, { maxLength: 2 }),
  })
  .map(({ status, lines, early, changes }) => {
    const text = answer([status, ...lines.flat()], early).toString("latin1");
    return Buffer.from(changes.reduce(mutate, text), "latin1");
  });

test("whatever is read here, Node's strict parser reads the same: headers, early bytes, and that it is a switch", async () => {
  const count = { switched: 0, other: 0 };
  await fc.assert(
    fc.asyncProperty(nearlySwitches, fc.constantFrom(LIMIT, LIMIT, 60, 120), async (nearly, limit) => {
      const ours = ourReading(nearly, limit);
      count[ours === undefined ? "other" : "switched"] += 1;
      if (ours !== undefined) expect(ours).toEqual(await nodeReading(nearly, limit));
    }),
    { numRuns: 10_000 },
  );
  // The cases are near enough to what they imitate.
  expect(count.switched).toBeGreaterThan(300);
  expect(count.other).toBeGreaterThan(300);
});

test("nothing that is broken is ever read here, and nothing makes it throw", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (garbage, isBehindStatus) => {
      const whole = Buffer.concat([Buffer.from(isBehindStatus ? OK : ""), garbage]);
      expect(readSwitchHead(whole, LIMIT)).toBeUndefined();
    }),
  );
});
