// Forked by idle-fleet.ts: the far ends of all tunnels, clients and backend, in a process of their own.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Handshakes under way at once. */
const AT_ONCE = 25;
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** The answer to KEY (RFC 6455 1.3). */
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const HANDSHAKE =
  "GET /chat HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;
const MASKED = Buffer.concat([Buffer.from([0x82, 0x80 | 64, 0, 0, 0, 0]), Buffer.alloc(64)]);
const UNMASKED = Buffer.concat([Buffer.from([0x82, 64]), Buffer.alloc(64)]);

/** Two bytes of header and the payload of 8 that every Ping of the proxy has; comes whole, being alone on its way. */
const PING_BYTES = 10;
const MASK = [0x5a, 0x13, 0xe0, 0x77] as const;

const sockets: Socket[] = [];

const backend = createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", () => {
    socket.write(SWITCH);
    socket.on("data", () => socket.write(UNMASKED));
  });
});

/** A tunnel that has carried one message each way. */
async function open(port: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.write(HANDSHAKE);
  const [answer] = (await once(socket, "data")) as [Buffer];
  const text = answer.toString("latin1");
  if (!text.startsWith("HTTP/1.1 101 ")) throw new Error(text);
  socket.write(MASKED);
  await once(socket, "data");
  socket.on("data", (chunk) => {
    if (chunk.length !== PING_BYTES || chunk[0] !== 0x89) throw new Error(`no Ping: ${chunk.toString("hex")}`);
    socket.write(pongTo(chunk.subarray(2)));
  });
  sockets.push(socket);
}

function pongTo(payload: Uint8Array): Uint8Array {
  const masked = payload.map((byte, at) => byte ^ (MASK[at & 3] ?? 0));
  return Uint8Array.of(0x8a, 0x80 | payload.length, ...MASK, ...masked);
}

async function openUpTo(count: number, port: number): Promise<void> {
  let left = count - sockets.length;
  const opener = async (): Promise<void> => {
    while (left-- > 0) await open(port);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, opener));
  process.send?.(sockets.length);
}

process.on("message", ({ count, port }: { readonly count: number; readonly port: number }) => {
  void openUpTo(count, port);
});
process.on("disconnect", () => process.exit());
backend.listen(0, "127.0.0.1", () => process.send?.((backend.address() as AddressInfo).port));
