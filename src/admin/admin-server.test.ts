import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { type AdminOptions, AdminServer } from "./admin-server.ts";

const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function admin(options: Partial<AdminOptions> = {}): Promise<{ port: number; url: string; server: AdminServer }> {
  const server = new AdminServer({
    isReady: () => true,
    metrics: async () => "some_metric 1\n",
    metricsContentType: "text/plain; version=0.0.4; charset=utf-8",
    onError: () => {},
    ...options,
  });
  servers.push(server);
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  return { port, url: `http://127.0.0.1:${port}`, server };
}

async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(request, "latin1");
  return text(socket);
}

test.for([
  { name: "/healthz answers", path: "/healthz", status: 200, body: "ok\n" },
  { name: "/readyz answers", path: "/readyz", status: 200, body: "ready\n" },
  { name: "a query is no matter", path: "/healthz?verbose", status: 200, body: "ok\n" },
  { name: "/metrics gives the metrics", path: "/metrics", status: 200, body: "some_metric 1\n" },
  { name: "/ lists what is here", path: "/", status: 200, body: /\/readyz/ },
  { name: "all else is not found", path: "/debug", status: 404, body: /not found/ },
])("$name", async ({ path, status, body }) => {
  const { url } = await admin();
  const response = await fetch(url + path);
  expect(response.status).toBe(status);
  expect(await response.text()).toMatch(body);
});

test("readiness is asked for at each request", async () => {
  let isReady = false;
  const { url } = await admin({ isReady: () => isReady });
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  isReady = true;
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test("metrics have the content type of their format", async () => {
  const { url } = await admin();
  expect((await fetch(`${url}/metrics`)).headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
});

test("a HEAD gets the headers without a body", async () => {
  const { port } = await admin();
  const answer = await raw(port, "HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(answer).toMatch(/content-length: 3\r\n/i);
  expect(answer.endsWith("\r\n\r\n")).toBe(true);
});

test.for(["POST", "PUT", "DELETE", "OPTIONS"])("%s is not allowed", async (method) => {
  const { url } = await admin();
  const response = await fetch(`${url}/metrics`, { method });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe("GET, HEAD");
});

test("metrics that fail are a 500, are told, and leave the server alive", async () => {
  const errors: unknown[] = [];
  const metrics = (): Promise<string> => Promise.reject(new Error("no numbers"));
  const { url } = await admin({ metrics, onError: (error) => errors.push(error) });
  expect((await fetch(`${url}/metrics`)).status).toBe(500);
  expect(errors).toEqual([new Error("no numbers")]);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("a head beyond the bound is refused", async () => {
  const { port } = await admin();
  const answer = await raw(port, `GET / HTTP/1.1\r\nHost: a\r\nx: ${"y".repeat(10_000)}\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1.1 431 /);
});

test("garbage is answered with 400 and harms nobody", async () => {
  const { port, url } = await admin();
  expect(await raw(port, "\x00\xff garbage\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("a port in use is said", async () => {
  const { port } = await admin();
  const other = new AdminServer({
    isReady: () => true,
    metrics: async () => "",
    metricsContentType: "text/plain",
    onError: () => {},
  });
  await expect(other.listen({ host: "127.0.0.1", port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("stopping closes connections that are kept alive", async () => {
  const { port, server } = await admin();
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(socket, "data");
  await server.stop();
  await once(socket, "close");
});
