import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Child } from "./child.ts";

const HOST = "127.0.0.1";
const START_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 2_000;
/** The key of RFC 6455 1.3. */
const HANDSHAKE = [
  "GET /ready HTTP/1.1",
  "Host: bench.example",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "\r\n",
].join("\r\n");

/** A port that nobody listened on a moment ago, for programs that cannot choose one and tell. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP listener without a port");
  return address.port;
}

/** Waits until a WebSocket handshake through `port` is answered with 101, so that workers run and the backend is known. */
export async function untilUpgrades(child: Child, port: number): Promise<void> {
  await child.until("carrying an upgrade", START_TIMEOUT_MS, async () =>
    (await statusLine(port)).startsWith("HTTP/1.1 101 ") ? true : undefined,
  );
}

/** The first bytes of the answer; empty when nobody answers. */
async function statusLine(port: number): Promise<string> {
  const socket = connect(port, HOST);
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    await once(socket, "connect", { signal });
    socket.write(HANDSHAKE);
    const [bytes] = (await once(socket, "data", { signal })) as [Buffer];
    return bytes.toString("latin1");
  } catch {
    return "";
  } finally {
    socket.on("error", () => undefined).destroy();
  }
}
