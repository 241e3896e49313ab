import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, get, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HoldfastProcess, proxyTo } from "./fixtures/holdfast.ts";
import { residentBytes } from "./fixtures/process-facts.ts";

const MIB = 1024 * 1024;
const BIG = 512 * MIB;

/** `total` bytes of a pattern, made as they are read. */
function* pattern(total: number): Generator<Buffer> {
  const block = Buffer.from(Uint8Array.from({ length: 64 * 1024 }, (_, index) => index * 31));
  for (let sent = 0; sent < total; sent += block.length) yield block;
}

async function digest(stream: AsyncIterable<unknown>): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of stream) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** Watches a process's memory while `work` runs; answers by how much it grew at most. */
async function growth(pid: number | undefined, work: () => Promise<void>): Promise<number> {
  const before = residentBytes(pid);
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, residentBytes(pid) - before)), 20);
  await work();
  clearInterval(timer);
  return most;
}

describe("plain HTTP through a running Holdfast", () => {
  let backend: Server;
  let holdfast: HoldfastProcess;
  let http: string;
  let sendEvent: (text: string) => void;
  beforeAll(async () => {
    backend = createServer((incoming, response) => {
      if (incoming.url === "/events") {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.flushHeaders();
        sendEvent = (text) => response.write(`data: ${text}\n\n`);
      } else if (incoming.url === "/download") {
        Readable.from(pattern(BIG)).pipe(response);
      } else if (incoming.method === "POST") {
        void digest(incoming).then((result) => response.end(JSON.stringify(result)));
      } else response.end("ok");
    });
    backend.listen(0, "127.0.0.1");
    await once(backend, "listening");
    ({ holdfast, http } = await proxyTo([`127.0.0.1:${(backend.address() as AddressInfo).port}`]));
  });
  afterAll(async () => {
    await holdfast[Symbol.asyncDispose]();
    backend.closeAllConnections();
    backend.close();
  });

  test("server-sent events arrive one by one, each before the next is sent", async () => {
    const [response] = (await once(get(`http://${http}/events`), "response")) as [IncomingMessage];
    for (let number = 0; number < 5; number++) {
      sendEvent(`event ${number}`);
      const [chunk] = (await once(response, "data")) as [Buffer];
      expect(chunk.toString()).toBe(`data: event ${number}\n\n`);
    }
    response.destroy();
  });

  test("a download of 512 MiB arrives whole and takes no memory", async () => {
    const expected = await digest(Readable.from(pattern(BIG)));
    let got = { bytes: 0, sha256: "" };
    const grown = await growth(holdfast.process.pid, async () => {
      const [response] = (await once(get(`http://${http}/download`), "response")) as [IncomingMessage];
      got = await digest(response);
    });
    expect(got).toEqual(expected);
    expect(grown).toBeLessThan(128 * MIB);
  });

  test("an upload of 512 MiB arrives whole and takes no memory", async () => {
    const expected = await digest(Readable.from(pattern(BIG)));
    let got: unknown;
    const grown = await growth(holdfast.process.pid, async () => {
      const upload = request(`http://${http}/upload`, { method: "POST" });
      Readable.from(pattern(BIG)).pipe(upload);
      const [response] = (await once(upload, "response")) as [IncomingMessage];
      got = JSON.parse(Buffer.concat(await response.toArray()).toString());
    });
    expect(got).toEqual(expected);
    expect(grown).toBeLessThan(128 * MIB);
  });
});
