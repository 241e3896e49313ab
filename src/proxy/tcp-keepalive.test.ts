import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Cleanups, rawClient, startHttp, startProxy } from "./proxy.fixture.ts";

/** Linux tells here which timer runs for each connection; 02 is that of TCP's keep-alive. */
const CONNECTIONS = "/proc/net/tcp";

/** The timer of the server's end of a connection on 127.0.0.1. */
function timerOf(serverPort: number, clientPort: number): string | undefined {
  const [local, remote] = [serverPort, clientPort].map((port) => port.toString(16).toUpperCase().padStart(4, "0"));
  const rows = readFileSync(CONNECTIONS, "utf8").split("\n");
  const fields = rows.map((row) => row.trim().split(/\s+/));
  const row = fields.find(
    ([, from, to]) => from?.endsWith(`:${local}`) === true && to?.endsWith(`:${remote}`) === true,
  );
  return row?.[5]?.slice(0, 2);
}

test.runIf(existsSync(CONNECTIONS))("while an answer is waited for, TCP asks whether the client is there", async () => {
  await using cleanups = new Cleanups();
  let answer: (() => void) | undefined;
  const backend = await startHttp(cleanups, (_request, response) => {
    answer = () => response.end("late");
  });
  const proxy = await startProxy(cleanups, { backends: [backend.port] });
  const client = rawClient(cleanups, proxy.port, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  await expect.poll(() => answer).toBeDefined();
  expect(timerOf(proxy.port, client.socket.localPort ?? 0)).toBe("02");
  answer?.();
  await expect.poll(() => client.text()).toContain("late");
});
