import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { proxyTo } from "./fixtures/holdfast.ts";
import { exchange } from "./fixtures/raw.ts";

interface Close {
  readonly code: number;
  readonly reason: string;
  readonly atMs: number;
}

async function openTunnel(http: string): Promise<{ socket: WebSocket; closed: Promise<Close> }> {
  const socket = new WebSocket(`ws://${http}/`);
  const closed = new Promise<Close>((resolve) =>
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString(), atMs: performance.now() })),
  );
  await once(socket, "open");
  socket.on("error", () => {});
  return { socket, closed };
}

async function status(address: string, path: string): Promise<string> {
  const answer = await exchange(address, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  return answer.split(" ")[1] ?? "no answer";
}

describe("Holdfast's own end", () => {
  let backend: ArticleBackend;
  beforeAll(async () => {
    backend = await ArticleBackend.start(0);
  });
  afterAll(async () => {
    await backend[Symbol.asyncDispose]();
  });

  test("after SIGTERM it is unready, accepts through the grace, then closes 1012 spread until the deadline and exits 0", async () => {
    const flags = ["--shutdown-grace", "1s", "--shutdown-deadline", "4s"];
    const { holdfast, http, admin } = await proxyTo([`127.0.0.1:${backend.port}`], flags);
    await using _ = holdfast;
    expect(await status(admin, "/readyz")).toBe("200");
    const tunnels = await Promise.all(Array.from({ length: 50 }, () => openTunnel(http)));
    const began = performance.now();
    holdfast.process.kill("SIGTERM");
    await expect.poll(() => status(admin, "/readyz")).toBe("503");
    expect(await status(admin, "/healthz")).toBe("200");
    const late = await openTunnel(http);
    late.socket.send("late");
    expect(String(((await once(late.socket, "message")) as [Buffer])[0])).toContain("late");
    const closes = await Promise.all([...tunnels, late].map((tunnel) => tunnel.closed));
    expect(new Set(closes.map((close) => close.code))).toEqual(new Set([1012]));
    const times = closes.map((close) => close.atMs - began).sort((a, b) => a - b);
    // From the end of the grace to the deadline less a fifth, and no burst: no 200 ms hold half of them.
    expect(times[0]).toBeGreaterThan(1_000);
    expect(times.at(-1)).toBeGreaterThan(3_000);
    expect(times.at(-1)).toBeLessThan(4_000);
    for (const time of times)
      expect(times.filter((other) => other >= time && other < time + 200).length).toBeLessThan(26);
    expect(await holdfast.exit()).toEqual({ code: 0, signal: null });
    await expect(status(http, "/")).rejects.toThrow("ECONNREFUSED");
  });

  test("with no tunnel it exits as soon as the grace is over", async () => {
    const { holdfast, http } = await proxyTo(
      [`127.0.0.1:${backend.port}`],
      ["--shutdown-grace", "0s", "--shutdown-deadline", "600s"],
    );
    await using _ = holdfast;
    expect(await status(http, "/")).toBe("200");
    holdfast.process.kill("SIGTERM");
    expect(await holdfast.exit()).toEqual({ code: 0, signal: null });
  });

  test("a second SIGTERM cuts what is left", async () => {
    const { holdfast, http } = await proxyTo(
      [`127.0.0.1:${backend.port}`],
      ["--shutdown-grace", "0s", "--shutdown-deadline", "600s"],
    );
    await using _ = holdfast;
    const tunnel = await openTunnel(http);
    holdfast.process.kill("SIGTERM");
    await holdfast.line((line) => /shut(ting)? ?down/i.test(line.msg ?? ""));
    expect(tunnel.socket.readyState).toBe(WebSocket.OPEN);
    holdfast.process.kill("SIGTERM");
    await tunnel.closed;
    await holdfast.exit();
  });

  test("one log line tells each tunnel's end", async () => {
    const { holdfast, http } = await proxyTo([`127.0.0.1:${backend.port}`]);
    await using _ = holdfast;
    const { socket } = await openTunnel(http);
    socket.send("five!");
    await once(socket, "message");
    socket.close(4001, "bye");
    const line = await holdfast.line((candidate) => "tunnelId" in candidate && "bytesUp" in candidate);
    expect(line).toMatchObject({
      messagesUp: 1,
      messagesDown: 1,
      by: "client",
      cause: "client_close",
      codeToBackend: 4001,
      backend: `127.0.0.1:${backend.port}`,
    });
    for (const field of ["route", "rule", "durationMs", "bytesDown"]) expect(line).toHaveProperty(field);
  });
});
