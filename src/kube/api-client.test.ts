import { writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { type After, afterDelay } from "../controller/index.ts";
import { ApiClient, ApiError, Credentials } from "./index.ts";
import {
  type Asked,
  clientFor,
  kubeconfigText,
  LogLines,
  OddServer,
  sendJson,
  temporaryFolder,
} from "./kube.fixture.ts";

const PATH = "/apis/x/v1/things";
const list = { metadata: { resourceVersion: "1" }, items: [] };

function read(signal: AbortSignal = new AbortController().signal) {
  return { path: PATH, query: { limit: "1" }, signal };
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ApiError)) throw new TypeError(`no ApiError: ${String(error)}`);
  return error;
}

describe("a request", () => {
  test("says who asks, what and as whom", async () => {
    const server = await OddServer.start((_, response) => sendJson(response, 200, { ok: true }));
    const client = await clientFor(server.url);
    const answer = await client.request({
      method: "PATCH",
      path: PATH,
      query: { force: "true", fieldManager: "a b" },
      body: { metadata: { name: "ä" } },
      contentType: "application/apply-patch+yaml",
    });
    expect(answer).toEqual({ ok: true });
    const [{ method, url, headers, body }] = server.asked as [Asked];
    expect(`${method} ${url.pathname}`).toBe(`PATCH ${PATH}`);
    expect(Object.fromEntries(url.searchParams)).toEqual({ force: "true", fieldManager: "a b" });
    expect(headers).toMatchObject({
      authorization: "Bearer secret",
      "user-agent": "holdfast/1.2.3",
      "content-type": "application/apply-patch+yaml",
      accept: "application/json",
    });
    expect(JSON.parse(body)).toEqual({ metadata: { name: "ä" } });
  });

  test("goes below the path that the server's address has", async () => {
    const server = await OddServer.start((_, response) => sendJson(response, 200, {}));
    const client = await clientFor(`${server.url}/k8s/clusters/c-1/`);
    await client.request({ method: "GET", path: PATH });
    expect(server.asked[0]?.url.pathname).toBe(`/k8s/clusters/c-1${PATH}`);
  });

  test.for<{ name: string; answer: (response: ServerResponse) => void; want: object }>([
    {
      name: "a Status becomes its words",
      answer: (response) =>
        sendJson(response, 409, {
          kind: "Status",
          status: "Failure",
          code: 409,
          reason: "Conflict",
          message: "changed",
        }),
      want: { status: 409, reason: "Conflict", message: "changed", retryAfterMs: undefined },
    },
    {
      name: "Retry-After is told in milliseconds",
      answer: (response) =>
        sendJson(
          response,
          429,
          { kind: "Status", code: 429, reason: "TooManyRequests", message: "m" },
          { "retry-after": "3" },
        ),
      want: { status: 429, reason: "TooManyRequests", retryAfterMs: 3000 },
    },
    {
      name: "a Status without the header may say when to come again",
      answer: (response) =>
        sendJson(response, 503, { kind: "Status", message: "m", details: { retryAfterSeconds: 2 } }),
      want: { status: 503, retryAfterMs: 2000 },
    },
    {
      name: "a page of another server is cut short",
      answer: (response) => response.writeHead(502).end(`<html>\n\n${"x".repeat(10_000)}`),
      want: { status: 502, reason: "", message: `<html> ${"x".repeat(293)}` },
    },
    {
      name: "a refusal of megabytes is still that refusal",
      answer: (response) => response.writeHead(500).end("y".repeat(3_000_000)),
      want: { status: 500, message: "y".repeat(300) },
    },
    {
      name: "no words at all",
      answer: (response) => response.writeHead(404).end(),
      want: { status: 404, message: "HTTP 404" },
    },
    {
      name: "a redirect is not followed",
      answer: (response) => response.writeHead(302, { location: "/" }).end(),
      want: { status: 302 },
    },
    {
      name: "what is no JSON",
      answer: (response) => response.writeHead(200).end("{"),
      want: { status: 0, reason: "BadAnswer" },
    },
    {
      name: "JSON that is no object",
      answer: (response) => response.writeHead(200).end("[]"),
      want: { status: 0, reason: "BadAnswer" },
    },
    {
      name: "an answer that ends before its end",
      answer: (response) => {
        response.writeHead(200, { "content-length": "100" }).write("{");
        setImmediate(() => response.destroy());
      },
      want: { status: 0, reason: "Unreachable" },
    },
    {
      name: "a connection that ends without an answer",
      answer: (response) => response.destroy(),
      want: { status: 0, reason: "Unreachable" },
    },
  ])("an error: $name", async ({ answer, want }) => {
    const server = await OddServer.start((_, response) => answer(response));
    const client = await clientFor(server.url);
    expect(await failure(client.request({ method: "PUT", path: PATH, body: {} }))).toMatchObject(want);
  });

  test("an error: nobody listens", async () => {
    const server = await OddServer.start(() => {});
    await server.stop();
    const client = await clientFor("http://127.0.0.1:1");
    const { status, message } = await failure(client.request({ method: "GET", path: PATH }));
    expect([status, message]).toEqual([0, "http://127.0.0.1:1 cannot be reached: connect ECONNREFUSED 127.0.0.1:1"]);
  });

  test("is given up when it takes too long, and when it is called off; no socket stays", async () => {
    const server = await OddServer.start(() => {});
    const client = await clientFor(server.url);
    expect((await failure(client.request({ method: "GET", path: PATH, timeoutMs: 30 }))).reason).toBe("Timeout");
    const abort = new AbortController();
    const asked = client.request({ method: "GET", path: PATH, signal: abort.signal });
    await expect.poll(() => server.asked.length).toBe(2);
    abort.abort();
    expect((await failure(asked)).reason).toBe("Aborted");
    expect((await failure(client.request({ method: "GET", path: PATH, signal: abort.signal }))).reason).toBe("Aborted");
    await expect.poll(() => server.openSockets).toBe(0);
  });

  test("uses connections again; one that the server closed meanwhile costs no read", async () => {
    let server = await OddServer.start((_, response) => sendJson(response, 200, {}));
    const client = await clientFor(server.url);
    for (let times = 0; times < 5; times++) await client.request({ method: "GET", path: PATH });
    expect(server.connections).toBe(1);
    client.close();
    await expect.poll(() => server.openSockets).toBe(0);
    // Closes each connection upon its second request, without a word.
    const seen = new Set<unknown>();
    server = await OddServer.start((_, response) => {
      const { socket } = response;
      if (seen.has(socket)) return void socket?.destroy();
      seen.add(socket);
      sendJson(response, 200, {});
    });
    const other = await clientFor(server.url);
    for (let times = 0; times < 5; times++) await other.request({ method: "GET", path: PATH });
    expect(server.connections).toBe(5);
  });
});

describe("credentials that the server refuses", () => {
  async function clientWithToken(server: OddServer, token: string) {
    const folder = await temporaryFolder();
    const write = (text: string) => writeFile(`${folder}/token`, text);
    await write(token);
    await writeFile(`${folder}/config`, kubeconfigText(server.url, { tokenFile: "token" }));
    const credentials = await Credentials.load({ kubeconfig: `${folder}/config`, env: {}, log: new LogLines() });
    return { client: new ApiClient({ credentials, version: "1" }), write };
  }
  const acceptOnly = (token: string) => (asked: Asked, response: ServerResponse) =>
    asked.headers.authorization === `Bearer ${token}` ? sendJson(response, 200, list) : sendJson(response, 401, {});

  test("are read again at once, and the request goes on with the new ones", async () => {
    const server = await OddServer.start(acceptOnly("new"));
    const { client, write } = await clientWithToken(server, "old");
    expect((await failure(client.page(read()))).status).toBe(401);
    await write("new");
    // Within a second of the last reading nothing is read.
    await expect.poll(() => client.page(read()).catch(() => undefined), { timeout: 5000 }).toEqual(list);
    expect(server.asked.filter(({ headers }) => headers.authorization === "Bearer new")).toHaveLength(1);
    client.close();
  });

  test("are sent twice at most when the new ones are refused too", async () => {
    const server = await OddServer.start(acceptOnly("other"));
    const { client, write } = await clientWithToken(server, "one");
    expect((await failure(client.page(read()))).status).toBe(401);
    expect(server.asked).toHaveLength(1);
    await write("two");
    await expect
      .poll(() => failure(client.page(read())).then(() => server.asked.at(-1)?.headers.authorization), {
        timeout: 5000,
      })
      .toBe("Bearer two");
    const before = server.asked.length;
    await failure(client.page(read()));
    expect(server.asked.length - before).toBe(1);
    client.close();
  });
});

test("credentials that are others at each reading are no reason to try for ever", async () => {
  const folder = await temporaryFolder();
  const server = await OddServer.start((_, response) => {
    writeFileSync(`${folder}/token`, `token ${server.asked.length}`);
    sendJson(response, 401, {});
  });
  writeFileSync(`${folder}/token`, "first");
  await writeFile(`${folder}/config`, kubeconfigText(server.url, { tokenFile: "token" }));
  let nowMs = 0;
  const now = (): number => (nowMs += 5000);
  const credentials = await Credentials.load({ kubeconfig: `${folder}/config`, env: {}, log: new LogLines(), now });
  const client = new ApiClient({ credentials, version: "1" });
  expect((await failure(client.page(read()))).status).toBe(401);
  expect(server.asked.map(({ headers }) => headers.authorization)).toEqual(["Bearer first", "Bearer token 1"]);
  client.close();
});

describe("a watch", () => {
  const event = (version: number) =>
    `${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: `${version}` } } })}\n`;

  test("tells the events of a chunk together, and ends when the server ends it", async () => {
    const server = await OddServer.start((_, response) => {
      response.writeHead(200).write(event(1) + event(2) + event(3).slice(0, 10));
      setTimeout(() => response.end(event(3).slice(10)), 20);
    });
    const client = await clientFor(server.url);
    const batches: number[] = [];
    await client.watch(read(), (events) => batches.push(events.length));
    expect(batches).toEqual([2, 1]);
  });

  test.for<{ name: string; answer: (response: ServerResponse) => void; want: object }>([
    {
      name: "is refused",
      answer: (response) => sendJson(response, 410, { kind: "Status", reason: "Expired" }),
      want: { status: 410, reason: "Expired" },
    },
    {
      name: "says what is no JSON",
      answer: (response) => response.writeHead(200).write("hello\n"),
      want: { status: 0, reason: "BadAnswer" },
    },
    {
      name: "is cut",
      answer: (response) => {
        response.writeHead(200).write(event(1));
        setTimeout(() => response.destroy(), 10);
      },
      want: { status: 0, reason: "Unreachable" },
    },
    {
      name: "has an event without an end",
      answer: (response) => {
        response.writeHead(200);
        const block = "x".repeat(2 ** 20);
        const more = (): void => {
          while (!response.destroyed) if (!response.write(block)) return void response.once("drain", more);
        };
        more();
      },
      want: { status: 0, reason: "TooLarge" },
    },
  ])("that $name is an error, and its socket is gone", async ({ answer, want }) => {
    const server = await OddServer.start((_, response) => answer(response));
    const client = await clientFor(server.url);
    expect(await failure(client.watch(read(), () => {}))).toMatchObject(want);
    client.close();
    await expect.poll(() => server.openSockets).toBe(0);
  });

  test("ends with what its listener throws: a fault of ours is not taken for the server's", async () => {
    const server = await OddServer.start((_, response) => response.writeHead(200).write(event(1)));
    const client = await clientFor(server.url);
    const watch = client.watch(read(), () => {
      throw new RangeError("ours");
    });
    await expect(watch).rejects.toThrow(RangeError);
    await expect.poll(() => server.openSockets).toBe(0);
  });

  test("called off ends at once", async () => {
    const server = await OddServer.start((_, response) => response.writeHead(200).write(event(1)));
    const client = await clientFor(server.url);
    const abort = new AbortController();
    const watch = client.watch(read(abort.signal), () => abort.abort());
    expect((await failure(watch)).reason).toBe("Aborted");
    await expect.poll(() => server.openSockets).toBe(0);
  });
});

test("a page larger than the bound is given up while it comes", async () => {
  const server = await OddServer.start((_, response) => {
    response.writeHead(200);
    const block = " ".repeat(2 ** 20);
    const more = (): void => {
      while (!response.destroyed) if (!response.write(block)) return void response.once("drain", more);
    };
    more();
  });
  const client = await clientFor(server.url);
  expect((await failure(client.page(read()))).reason).toBe("TooLarge");
});

test("a page may take long as long as bytes come, and is given up after 65 s without any", async () => {
  // A clock five hundred times as fast.
  const after: After = (delayMs, run) => afterDelay(delayMs / 500, run);
  const now = (): number => performance.now() * 500;
  const body = JSON.stringify(list);
  let isSilent = false;
  const server = await OddServer.start((_, response) => {
    response.writeHead(200);
    let sent = 0;
    const timer = setInterval(() => {
      if (isSilent && sent === 20) return clearInterval(timer);
      response.write(body[sent++] ?? "");
      if (sent < body.length) return;
      clearInterval(timer);
      response.end();
    }, 10);
  });
  const client = await clientFor(server.url, { after, now });
  expect(await client.page(read())).toEqual(list);
  isSilent = true;
  const { reason, message } = await failure(client.page(read()));
  expect([reason, message]).toEqual(["Timeout", expect.stringMatching(/has said nothing for 65 s/)]);
});
