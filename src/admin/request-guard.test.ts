import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { ask, ServedOperations } from "./admin.fixture.ts";
import { tunnel } from "./operations.fixture.ts";
import { guardFault } from "./request-guard.ts";

let served: ServedOperations | undefined;
afterEach(async () => {
  await served?.[Symbol.asyncDispose]();
  served = undefined;
});

async function serve(host?: string): Promise<ServedOperations> {
  served = await ServedOperations.start(host);
  served.operations.tunnelList = [tunnel("a")];
  return served;
}

const JSON_TYPE = { "content-type": "application/json" };
/** An address of this machine that is not its loopback. */
const outside = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ internal, family }) => !internal && family === "IPv4")?.address;

test.skipIf(outside === undefined)(
  "a connection to another address is refused in words, and changes nothing",
  async () => {
    const { port, operations } = await serve("0.0.0.0");
    const there = { host: outside, port };
    for (const host of [undefined, "localhost"]) {
      const headers = { ...JSON_TYPE, ...(host !== undefined && { host }) };
      const listed = await ask({ ...there, path: "/v1/tunnels" }, { headers });
      expect(listed.status).toBe(403);
      expect(listed.body.error).toMatchObject({
        code: "not_local",
        message: expect.stringContaining("--admin-socket"),
      });
      const closed = await ask(
        { ...there, path: "/v1/tunnels/close" },
        { method: "POST", headers, body: '{"all":true}' },
      );
      expect(closed.body.error).toMatchObject({ code: "not_local" });
    }
    expect(operations.orders).toEqual([]);
    // Probes and scrapers come from anywhere.
    expect((await fetch(`http://${outside}:${port}/healthz`)).status).toBe(200);
    expect((await served!.ask("/v1/tunnels")).status).toBe(200);
  },
);

test.for<{ remote: string | undefined; local: string | undefined; served: boolean }>([
  { remote: "127.0.0.1", local: "127.0.0.1", served: true },
  { remote: "127.0.0.1", local: "127.3.4.5", served: true },
  { remote: "::1", local: "::1", served: true },
  { remote: "::ffff:127.0.0.1", local: "::ffff:127.0.0.1", served: true },
  { remote: "10.0.0.9", local: "10.0.0.1", served: false },
  { remote: "127.0.0.1", local: "10.0.0.1", served: false },
  { remote: "10.0.0.9", local: "127.0.0.1", served: false },
  { remote: "::ffff:10.0.0.9", local: "::ffff:127.0.0.1", served: false },
  { remote: "127.evil", local: "127.0.0.1", served: false },
  { remote: "::127.0.0.1", local: "::1", served: false },
  { remote: undefined, local: undefined, served: false },
])("from $remote to $local: served $served", ({ remote, local, served: isServed }) => {
  const request = { headers: { host: "localhost" }, socket: { remoteAddress: remote, localAddress: local } };
  const fault = guardFault(request as unknown as IncomingMessage, "tcp");
  expect(fault?.code).toBe(isServed ? undefined : "not_local");
});

test.for([
  { host: "localhost", status: 200 },
  { host: "LOCALHOST:9090", status: 200 },
  { host: "localhost.", status: 200 },
  { host: "127.0.0.1:1", status: 200 },
  { host: "127.8.8.8", status: 200 },
  { host: "[::1]:9090", status: 200 },
  { host: "evil.example", status: 403 },
  { host: "localhost.evil.example", status: 403 },
  { host: "127.0.0.1.evil.example", status: 403 },
  { host: "127.evil.example", status: 403 },
  { host: "10.0.0.1", status: 403 },
  { host: "0.0.0.0", status: 403 },
  { host: "[::]", status: 403 },
  { host: "[2001:db8::1]", status: 403 },
  { host: "localhost:9090@evil.example", status: 403 },
])(
  "a name that a web page may have let point here: Host '$host' is answered with $status",
  async ({ host, status }) => {
    const answer = await (await serve()).ask("/v1/tunnels", { headers: { host } });
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer.body.error).toMatchObject({ code: "wrong_host", field: "host" });
  },
);

test.for([
  { name: "empty", request: "GET /v1/tunnels HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n" },
  { name: "missing, as HTTP/1.0 allows", request: "GET /v1/tunnels HTTP/1.0\r\n\r\n" },
])("a Host that is $name is refused", async ({ request }) => {
  const { port } = await serve();
  const socket = connect(port, "127.0.0.1");
  socket.end(request);
  expect(await text(socket)).toMatch(/^HTTP\/1.1 403 [\s\S]*"wrong_host"/);
});

test.for(["http://localhost:9090", "https://evil.example", "null", ""])(
  "a web page of '%s' is refused, whatever it asks and on whichever road",
  async (origin) => {
    const { operations, socketPath } = await serve();
    const headers = { origin, ...JSON_TYPE };
    for (const road of [{ host: "127.0.0.1", port: served!.port }, { socketPath }]) {
      const asked = await ask({ ...road, path: "/v1/tunnels" }, { headers });
      const ordered = await ask({ ...road, path: "/v1/drain" }, { method: "POST", headers, body: "{}" });
      const stopped = await ask({ ...road, path: "/v1/drains/process" }, { method: "DELETE", headers });
      for (const { status, body } of [asked, ordered, stopped]) {
        expect(status).toBe(403);
        expect(body.error).toMatchObject({ code: "from_browser", field: "origin" });
      }
    }
    expect(operations.orders).toEqual([]);
  },
);

test.for(["forwarded", "x-forwarded-for", "x-forwarded-host", "via"])(
  "what a proxy on this machine passes on is not local: %s",
  async (name) => {
    const { status, body } = await (await serve()).ask("/v1/tunnels", { headers: { [name]: "x" } });
    expect(status).toBe(403);
    expect(body.error).toMatchObject({ code: "not_local", field: name });
  },
);

test.for([
  { type: "application/json", status: 200 },
  { type: "Application/JSON; charset=utf-8", status: 200 },
  { type: "application/jsonp", status: 415 },
  { type: "text/plain; application/json", status: 415 },
  { type: "", status: 415 },
])("an order of content-type '$type' is answered with $status", async ({ type, status }) => {
  const { operations } = await serve();
  const answer = await served!.ask("/v1/drains", { method: "POST", headers: { "content-type": type }, body: "{}" });
  expect(answer.status).toBe(status);
  expect(operations.orders).toHaveLength(status === 200 ? 1 : 0);
});
