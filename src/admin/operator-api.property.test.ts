import { connect } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ask, ServedOperations } from "./admin.fixture.ts";
import { backend, rule, tunnel } from "./operations.fixture.ts";

let served: ServedOperations;
beforeEach(async () => {
  served = await ServedOperations.start();
  served.operations.tunnelList = Array.from({ length: 30 }, (_, index) => tunnel(`t${index}`, { ageMs: index }));
  served.operations.backendList = [backend("10.1.0.1:80"), backend("10.1.0.2:80")];
  served.operations.ruleList = [rule("apps/a", "0"), rule("apps/b", "0")];
});
afterEach(async () => {
  await served[Symbol.asyncDispose]();
});

const method = fc.constantFrom("GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND");
const path = fc.oneof(
  fc.constantFrom("/v1/tunnels", "/v1/tunnels/close", "/v1/backends", "/v1/routes", "/v1/drains", "/v1/drain"),
  fc.webPath().map((text) => `/v1/drains${text}`),
  fc.webPath().map((text) => `/v1${text}`),
  fc.constantFrom("/v1/drains/__proto__", "/v1/drains/%00", "/v1/drains/..%2f..", "/v1/%", "/v1//", "/v1/tunnels/"),
);
/** Mostly what there is, so that its fields are looked at. */
const call = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(["GET", "/v1/tunnels"], ["GET", "/v1/routes"], ["GET", "/v1/drains"]) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(["POST", "/v1/tunnels/close"], ["POST", "/v1/drains"], ["POST", "/v1/drain"]),
  },
  { weight: 1, arbitrary: fc.constant(["GET", "/v1/backends"]) },
  { weight: 2, arbitrary: fc.tuple(method, path) },
);
const field = fc.oneof(
  fc.constantFrom("route", "rule", "upstream", "backend", "client", "id", "olderThan", "idleFor", "limit", "cursor"),
  fc.constantFrom("all", "wait", "within", "perSecond", "grace", "code", "reason"),
  fc.constantFrom("__proto__", "constructor", "toString"),
);
const word = fc.oneof(
  fc.constantFrom(
    "a/b",
    "10.0.0.0/8",
    "10.0.0.1:80",
    "1h",
    "99999h99999h",
    "7",
    "WzEsMV0",
    "WzFlNDAwLCJhIl0",
    "bnVsbA",
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
);
const query = fc
  .array(fc.tuple(fc.oneof(field, word), word), { maxLength: 4 })
  .map((pairs) =>
    pairs.map(
      ([name, value]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`,
    ),
  )
  .map((pairs) => (pairs.length === 0 ? "" : `?${pairs.join("&")}`));
const body = fc.oneof(
  fc
    .dictionary(field, fc.oneof(word, fc.integer(), fc.double(), fc.jsonValue({ maxDepth: 2 })), { maxKeys: 4 })
    .map((said) => JSON.stringify(said)),
  fc.json(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "{}", "[".repeat(7_000), '{"a":'.repeat(1_600), `{"reason": "${"x".repeat(9_000)}"}`),
);
const mostly = <Value>(usual: Value, other: Value): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constant(other) });
const headers = fc
  .record({
    "content-type": mostly("application/json", "text/plain"),
    origin: mostly<string | undefined>(undefined, "null"),
    expect: mostly<string | undefined>(undefined, "100-continue"),
  })
  .map((said) => Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)));

test("whatever is asked, the answer is JSON and never our own fault, and the server lives", async () => {
  // Whoever waits is answered at once.
  served.operations.whenOver = () => Promise.resolve(undefined);
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(call, query, body, headers, async ([verb = "", at], search, text, said) => {
      // fetch and Node's client send no body with a TRACE.
      const sent = verb === "TRACE" ? {} : { body: text };
      const place = { host: "127.0.0.1", port: served.port, path: `${at}${verb === "GET" ? search : ""}` };
      const options = { method: verb, headers: said as Record<string, string>, ...sent };
      const { status, body: answer } = await ask({ ...place, signal: AbortSignal.timeout(5_000) }, options);
      seen.add(status);
      expect(status).toBeGreaterThanOrEqual(200);
      expect(status).toBeLessThan(500);
      expect(answer.replica).toBe("holdfast-1");
      if (status >= 400) expect(answer.error.message).toMatch(/\w+ \w+/);
    }),
    { numRuns: 1_000 },
  );
  // Otherwise it would have asked nonsense only.
  expect([...seen]).toEqual(expect.arrayContaining([200, 400, 403, 404, 405, 413, 415]));
  expect(served.errors).toEqual([]);
  expect((await served.ask("/v1/tunnels")).status).toBe(200);
});

test("whatever bytes come, the connection ends or is answered, and the server lives", async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "GET /v1/tunnels HTTP/1.1\r\n",
      "POST /v1/drain HTTP/1.1\r\n",
      "CONNECT /v1 HTTP/1.1\r\n",
      "host: localhost\r\n",
    ),
    fc.constantFrom(
      "content-type: application/json\r\n",
      "content-length: 2\r\n",
      "content-length: -1\r\n",
      "\r\n",
      "{}",
    ),
    fc.constantFrom(
      "transfer-encoding: chunked\r\n",
      "ffffffffff\r\n",
      "upgrade: websocket\r\nconnection: upgrade\r\n",
    ),
    fc.string({ unit: "binary", maxLength: 20 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      const socket = connect(served.port, "127.0.0.1");
      let answer = "";
      socket.on("error", () => {});
      socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
      socket.end(pieces.join(""));
      socket.setTimeout(2_000, () => socket.destroy());
      await new Promise((resolve) => socket.once("close", resolve));
      expect(answer).not.toMatch(/^HTTP\/1.1 5/);
    }),
    { numRuns: 300 },
  );
  expect(served.errors).toEqual([]);
  expect((await served.ask("/v1/tunnels")).status).toBe(200);
});
