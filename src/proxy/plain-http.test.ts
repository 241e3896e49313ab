import { createHash } from "node:crypto";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import {
  atRest,
  Cleanups,
  closedPort,
  entry,
  pour,
  rawClient,
  type StartedProxy,
  startHttp,
  startProxy,
  startTcp,
} from "./proxy.fixture.ts";

const CLOSE = "Host: a.example\r\nConnection: close\r\n\r\n";
const MEBIBYTE = 1024 * 1024;

async function get(proxy: StartedProxy, path = "/", init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${proxy.port}${path}`, init);
}

/** Reads until the condition holds for what was read. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, wanted: string): Promise<string> {
  let text = "";
  while (!text.includes(wanted)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += Buffer.from(value).toString();
  }
  return text;
}

describe("answers", () => {
  test("status, reason, repeated headers and their order pass", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (_request, response) => {
      response.writeHead(299, "Quite Fine", ["Set-Cookie", "a=1", "X-B", "2", "Set-Cookie", "b=2"]).end("body");
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const got = await rawClient(cleanups, proxy.port, `GET /a?b=c HTTP/1.1\r\n${CLOSE}`).whole;
    expect(got).toMatch(/^HTTP\/1\.1 299 Quite Fine\r\nSet-Cookie: a=1\r\nX-B: 2\r\nSet-Cookie: b=2\r\n/);
    expect(proxy.seen.forwarded).toMatchObject([{ status: 299, upgrade: false, route: "apps/chat", rule: "app" }]);
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test.for([
    { name: "HEAD", method: "HEAD", status: 200, headers: { "content-length": "5" }, body: undefined },
    { name: "204", method: "GET", status: 204, headers: {}, body: undefined },
    { name: "304", method: "GET", status: 304, headers: { etag: '"x"' }, body: undefined },
  ])("$name has no body, and the connection goes on", async ({ method, status, headers, body }) => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (request, response) => {
      if (request.url === "/next") response.end("next");
      else response.writeHead(status, headers).end(body);
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const next = `GET /next HTTP/1.1\r\n${CLOSE}`;
    const got = await rawClient(cleanups, proxy.port, `${method} / HTTP/1.1\r\nHost: a.example\r\n\r\n${next}`).whole;
    const [first, second] = got.split(/(?=HTTP\/1\.1 200 OK\r\n(?!content-length: 5))/);
    expect(first).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    for (const [name, value] of Object.entries(headers)) expect(first).toContain(`${name}: ${value}\r\n`);
    expect(first).toMatch(/\r\n\r\n$/);
    expect(second).toContain("next");
  });

  test("server-sent events reach the client one by one", async () => {
    await using cleanups = new Cleanups();
    let send: (text: string) => void = () => {};
    const backend = await startHttp(cleanups, (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      send = (text) => void response.write(text);
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    // The head comes before any byte of the body.
    const response = await get(proxy);
    const reader = response.body!.getReader();
    for (const event of ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]) {
      send(event);
      expect(await readUntil(reader, "\n\n")).toBe(event);
    }
    expect(proxy.leases()).toEqual([1, 0]);
    await reader.cancel();
    await expect.poll(() => proxy.leases()).toEqual([0, 0]);
  });

  test("1xx answers are passed over", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (_request, response) => {
      response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      response.end("fine");
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    expect(await (await get(proxy)).text()).toBe("fine");
  });

  test("an Upgrade to something else than websocket is ignored, body and all", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (request, response) => {
      request.on("data", (chunk) => response.end(`${request.headers.upgrade} ${chunk}`));
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const head =
      "POST / HTTP/1.1\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nContent-Length: 2\r\nHost: a.example\r\n\r\n";
    expect(await rawClient(cleanups, proxy.port, `${head}hi`).whole).toContain("undefined hi");
  });
});

describe("connections", () => {
  test("are kept on both sides", async () => {
    await using cleanups = new Cleanups();
    const connections = new Set<Socket>();
    const backend = await startHttp(cleanups, (request, response) => {
      connections.add(request.socket);
      response.end("fine");
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    cleanups.add(() => agent.destroy());
    for (let i = 0; i < 5; i++) expect(await exchange(proxy, { agent })).toMatchObject({ status: 200, body: "fine" });
    expect(connections.size).toBe(1);
    expect(proxy.server.openConnections).toBe(1);
  });

  test("requests sent ahead are answered in order, one at a time", async () => {
    await using cleanups = new Cleanups();
    let current = 0;
    let most = 0;
    const backend = await startHttp(cleanups, (request, response) => {
      most = Math.max(most, ++current);
      setTimeout(() => {
        current--;
        response.end(`[${request.url}]`);
      }, 20);
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const requests = [1, 2, 3, 4].map((n) => `GET /${n} HTTP/1.1\r\nHost: a.example\r\n\r\n`).join("");
    const got = await rawClient(cleanups, proxy.port, `${requests}GET /5 HTTP/1.1\r\n${CLOSE}`).whole;
    expect(got.match(/\[\/\d\]/g)).toEqual(["[/1]", "[/2]", "[/3]", "[/4]", "[/5]"]);
    expect(most).toBe(1);
  });

  test("too many requests sent ahead end the connection after those that are served", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (_request, response) => void response.end("fine"));
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const got = await rawClient(cleanups, proxy.port, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".repeat(1_000)).whole;
    expect(got.match(/fine/g)).toHaveLength(17);
    expect(got.match(/^connection: close\r$/gim)).toHaveLength(1);
  });

  test("a kept connection that the backend closes meanwhile costs nobody his request", async () => {
    await using cleanups = new Cleanups();
    const sockets: Socket[] = [];
    const port = await startTcp(cleanups, (socket) => {
      sockets.push(socket);
      let served = 0;
      socket.on("data", () => {
        // Closes in the face of the second request, as a server does whose keep-alive time is over just now.
        if (served++ === 0) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
        else socket.end();
      });
    });
    const proxy = await startProxy(cleanups, { backends: [port] });
    for (let i = 0; i < 4; i++) expect(await exchange(proxy, {})).toMatchObject({ status: 200, body: "fine" });
    expect(sockets.length).toBeGreaterThan(1);
  });

  test("to a backend that is forgotten are closed", async () => {
    await using cleanups = new Cleanups();
    const sockets = new Set<Socket>();
    const backend = await startHttp(cleanups, (request, response) => {
      sockets.add(request.socket);
      response.end("fine");
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    await exchange(proxy, {});
    proxy.setBackends([]);
    await expect.poll(() => [...sockets].map((socket) => socket.destroyed), { timeout: 3_000 }).toEqual([true]);
  });
});

describe("bodies", () => {
  test("100 MiB up and down keep their bytes", { timeout: 60_000 }, async () => {
    await using cleanups = new Cleanups();
    const chunk = Buffer.alloc(MEBIBYTE, "holdfast");
    const backend = await startHttp(cleanups, (request, response) => {
      const hash = createHash("sha1");
      request.on("data", (data) => hash.update(data));
      request.on("end", () => {
        response.writeHead(200, { "x-sha1": hash.digest("hex"), "content-length": String(100 * MEBIBYTE) });
        let left = 100;
        const go = (): void => {
          while (left-- > 0) if (!response.write(chunk)) return void response.once("drain", go);
          response.end();
        };
        go();
      });
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const wanted = createHash("sha1");
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest({ port: proxy.port, method: "POST", path: "/" }, resolve).on("error", reject);
      let left = 100;
      const go = (): void => {
        while (left-- > 0) {
          wanted.update(chunk);
          if (!request.write(chunk)) return void request.once("drain", go);
        }
        request.end();
      };
      go();
    });
    let bytes = 0;
    const received = createHash("sha1");
    for await (const data of response) {
      bytes += (data as Buffer).length;
      received.update(data as Buffer);
    }
    expect(bytes).toBe(100 * MEBIBYTE);
    const digest = wanted.digest("hex");
    expect(response.headers["x-sha1"]).toBe(digest);
    expect(received.digest("hex")).toBe(digest);
  });

  test("a client that does not read stops the backend", async () => {
    await using cleanups = new Cleanups();
    let written = 0;
    let backendSocket: Socket | undefined;
    const chunk = Buffer.alloc(MEBIBYTE);
    const backend = await startHttp(cleanups, (request, response) => {
      backendSocket = request.socket;
      const go = (): void => {
        while (written < 200 * MEBIBYTE) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once("drain", go);
        }
      };
      go();
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const client = rawClient(cleanups, proxy.port, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    client.socket.pause();
    await expect
      .poll(
        atRest(() => written),
        { timeout: 10_000 },
      )
      .toBe(true);
    expect(written).toBeLessThan(40 * MEBIBYTE);
    client.socket.destroy();
    await expect.poll(() => proxy.leases()).toEqual([0, 0]);
    await expect.poll(() => backendSocket?.destroyed).toBe(true);
  });

  test("a backend that does not read stops the client, and is given up in the end", async () => {
    await using cleanups = new Cleanups();
    const port = await startTcp(cleanups, (socket) => void socket.pause());
    const proxy = await startProxy(cleanups, {
      backends: [port],
      entries: [entry({ policy: { responseHeadersMs: 1_500 } })],
    });
    const head = `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${200 * MEBIBYTE}\r\n\r\n`;
    const client = rawClient(cleanups, proxy.port, head);
    const taken = pour(client.socket, 200 * MEBIBYTE);
    await expect.poll(atRest(taken)).toBe(true);
    expect(taken()).toBeLessThan(30 * MEBIBYTE);
    expect(await client.whole).toContain("holdfast-error: HF_RESPONSE_TIMEOUT");
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test("an answer before the end of an upload reaches the client", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (_request, response) => {
      response.writeHead(413, { connection: "close" }).end("too much");
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port], limits: { lingerMs: 2_000 } });
    const client = rawClient(
      cleanups,
      proxy.port,
      `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${50 * MEBIBYTE}\r\n\r\n`,
    );
    for (let i = 0; i < 20; i++) client.send(Buffer.alloc(MEBIBYTE));
    expect(await client.whole).toMatch(/^HTTP\/1\.1 413 [^]*connection: close\r\n[^]*too much/i);
    expect(client.end()).toBe("fin");
  });

  test("a refusal before the end of an upload reaches the client", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { limits: { lingerMs: 2_000 } });
    const client = rawClient(
      cleanups,
      proxy.port,
      `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${50 * MEBIBYTE}\r\n\r\n`,
    );
    for (let i = 0; i < 20; i++) client.send(Buffer.alloc(MEBIBYTE));
    expect(await client.whole).toContain("holdfast-error: HF_NO_BACKEND");
    expect(client.end()).toBe("fin");
  });

  test("a client that waits for 100 Continue is told to go on", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (request, response) => {
      request.on("data", (chunk) => response.end(`${request.headers.expect} ${chunk}`));
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const client = rawClient(
      cleanups,
      proxy.port,
      `POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n${CLOSE}`,
    );
    await expect.poll(() => client.text()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi");
    expect(await client.whole).toContain("undefined hi");
  });

  test("a client that waits for 100 Continue in vain is not told to go on", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { entries: [] });
    const got = await rawClient(
      cleanups,
      proxy.port,
      `POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n${CLOSE}`,
    ).whole;
    expect(got).toMatch(/^HTTP\/1\.1 404 /);
  });
});

describe("failures", () => {
  test("a refused dial sends the request, body and all, to another backend", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (request, response) => {
      request.pipe(response);
    });
    const proxy = await startProxy(cleanups, { backends: [await closedPort(), await closedPort(), backend.port] });
    for (let i = 0; i < 4; i++)
      expect(await exchange(proxy, { method: "POST", body: "abc" })).toMatchObject({ status: 200, body: "abc" });
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test.for([
    { name: "refuses", answer: undefined, code: "HF_DIAL_REFUSED", status: 502 },
    { name: "closes without an answer", answer: "", code: "HF_BACKEND_RESET", status: 502 },
    { name: "answers garbage", answer: "\x16\x03\x01\x02\x00", code: "HF_BACKEND_BAD_RESPONSE", status: 502 },
    {
      name: "switches although nobody asked",
      answer: "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      code: "HF_BACKEND_BAD_RESPONSE",
      status: 502,
    },
    {
      name: "answers in an unknown coding",
      answer: "HTTP/1.1 200 X\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      code: "HF_BACKEND_BAD_RESPONSE",
      status: 502,
    },
    {
      name: "says two lengths",
      answer: "HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
      code: "HF_BACKEND_BAD_RESPONSE",
      status: 502,
    },
    {
      name: "answers with a status of two digits",
      answer: "HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
      code: "HF_BACKEND_BAD_RESPONSE",
      status: 502,
    },
  ])("a backend that $name is a $status, and the connection goes on", async ({ answer, code, status }) => {
    await using cleanups = new Cleanups();
    const port =
      answer === undefined
        ? await closedPort()
        : await startTcp(cleanups, (socket) => void socket.once("data", () => socket.end(answer, "latin1")));
    const proxy = await startProxy(cleanups, { backends: [port] });
    const got = await exchange(proxy, {});
    expect(got).toMatchObject({ status, headers: { "holdfast-error": code, connection: "keep-alive" } });
    expect(got.body).toContain(code);
    expect(proxy.seen.refused).toMatchObject([{ code, upgrade: false, rule: "app" }]);
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test("a backend that does not begin its answer in time is a 504", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, () => {});
    const proxy = await startProxy(cleanups, {
      backends: [backend.port],
      entries: [entry({ policy: { responseHeadersMs: 100 } })],
    });
    expect(await exchange(proxy, {})).toMatchObject({
      status: 504,
      headers: { "holdfast-error": "HF_RESPONSE_TIMEOUT" },
    });
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test("an upload that pauses is not cut by the time for the answer", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (request, response) => {
      request.on("end", () => response.end("fine")).resume();
    });
    const proxy = await startProxy(cleanups, {
      backends: [backend.port],
      entries: [entry({ policy: { responseHeadersMs: 50 } })],
    });
    const client = rawClient(cleanups, proxy.port, `POST / HTTP/1.1\r\nContent-Length: 2\r\n${CLOSE}a`);
    const since = performance.now();
    await expect.poll(() => performance.now() - since).toBeGreaterThan(250);
    client.send("b");
    expect(await client.whole).toContain("fine");
  });

  test("the time for the whole request cuts even a stream", async () => {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (_request, response) => void response.write("begun"));
    const proxy = await startProxy(cleanups, {
      backends: [backend.port],
      entries: [entry({ policy: { requestMs: 100 } })],
    });
    const got = await rawClient(cleanups, proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`).whole;
    expect(got).toContain("begun");
    expect(got).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test.for([
    { name: "in chunks", version: "1.1", head: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" },
    { name: "of a known length", version: "1.1", head: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc" },
    {
      name: "to an HTTP/1.0 client",
      version: "1.0",
      head: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    },
  ])("an answer $name that breaks off never looks whole", async ({ version, head }) => {
    await using cleanups = new Cleanups();
    const port = await startTcp(cleanups, (socket) => void socket.once("data", () => socket.end(head)));
    const proxy = await startProxy(cleanups, { backends: [port] });
    const client = rawClient(cleanups, proxy.port, `GET / HTTP/${version}\r\n${CLOSE}`);
    const got = await client.whole;
    if (version === "1.0") expect(client.end()).toBe("ECONNRESET");
    else expect(got).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test("a client that leaves gives its lease back, and the backend hears of it", async () => {
    await using cleanups = new Cleanups();
    let backendSocket: Socket | undefined;
    const backend = await startHttp(cleanups, (request) => {
      backendSocket = request.socket;
    });
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    const client = rawClient(cleanups, proxy.port, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    await expect.poll(() => backendSocket).toBeDefined();
    expect(proxy.leases()).toEqual([1, 0]);
    client.socket.destroy();
    await expect.poll(() => proxy.leases()).toEqual([0, 0]);
    await expect.poll(() => backendSocket?.destroyed).toBe(true);
    expect(proxy.server.openRequests).toBe(0);
  });
});

interface Exchanged {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function exchange(
  proxy: StartedProxy,
  { method = "GET", body = "", agent }: { readonly method?: string; readonly body?: string; readonly agent?: Agent },
): Promise<Exchanged> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({ port: proxy.port, method, ...(agent === undefined ? {} : { agent }) }, resolve);
    request.on("error", reject).end(body);
  });
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, headers: response.headers, body: text };
}
