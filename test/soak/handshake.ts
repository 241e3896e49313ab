import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

const HEAD_BYTES_AT_MOST = 16_384;
const END = "\r\n\r\n";

/** The value that answers a key (RFC 6455 4.2.2). */
function acceptOf(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

interface Head {
  readonly text: string;
  /** What came behind it. */
  readonly rest: Buffer;
}

/** Reads up to the empty line; undefined = the stream ended before. Leaves the socket paused. */
function readHead(socket: Socket): Promise<Head | undefined> {
  return new Promise((resolve) => {
    let got = Buffer.alloc(0);
    const finish = (head: Head | undefined): void => {
      socket.pause();
      socket.off("data", onData);
      socket.off("close", onGone);
      socket.off("end", onGone);
      resolve(head);
    };
    const onGone = (): void => finish(undefined);
    const onData = (chunk: Buffer): void => {
      got = Buffer.concat([got, chunk]);
      const at = got.indexOf(END);
      if (at >= 0) finish({ text: got.subarray(0, at).toString("latin1"), rest: got.subarray(at + END.length) });
      else if (got.length > HEAD_BYTES_AT_MOST) finish(undefined);
    };
    socket.on("data", onData);
    socket.on("close", onGone);
    socket.on("end", onGone);
    socket.resume();
  });
}

function field(head: string, name: string): string | undefined {
  return new RegExp(`^${name}: *(.*)$`, "im").exec(head)?.[1]?.trim();
}

export interface Dialled {
  readonly socket: Socket;
  /** Of the answer; "" = it broke off. */
  readonly status: string;
  readonly early: Buffer;
}

/** Opens a tunnel from an address of one's own, through the process that is killed or straight. */
export async function dial(options: {
  readonly http: string;
  readonly localAddress: string;
  readonly path: string;
  readonly tunnel: number;
  readonly throughPort: number | undefined;
  /** Breaks off so long after the request was sent. */
  readonly abortAfterMs: number | undefined;
}): Promise<Dialled> {
  const { http, localAddress, throughPort, abortAfterMs } = options;
  const port = Number(http.split(":")[1]);
  const common = { host: "127.0.0.1", allowHalfOpen: true, noDelay: true };
  const socket =
    throughPort === undefined ? connect({ ...common, port, localAddress }) : connect({ ...common, port: throughPort });
  socket.on("error", () => {});
  if (throughPort !== undefined) socket.write(`${localAddress} ${port}\n`);
  const key = randomBytes(16).toString("base64");
  socket.write(
    `GET ${options.path} HTTP/1.1\r\nHost: soak.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nX-Tunnel: ${options.tunnel}${END}`,
  );
  if (abortAfterMs !== undefined) setTimeout(() => socket.destroy(), abortAfterMs);
  const head = await readHead(socket);
  if (head === undefined) return { socket, status: "", early: Buffer.alloc(0) };
  const status = head.text.split(" ")[1] ?? "";
  const isTrue = status !== "101" || field(head.text, "sec-websocket-accept") === acceptOf(key);
  return { socket, status: isTrue ? status : "101 with a wrong accept value", early: head.rest };
}

export interface Accepted {
  readonly tunnel: number;
  readonly early: Buffer;
  /** Answers 101, with bytes of the tunnel in the same write. */
  answer(more: Buffer): void;
}

/** The backend's half; undefined = the stream ended before. */
export async function accept(socket: Socket): Promise<Accepted | undefined> {
  const head = await readHead(socket);
  if (head === undefined) return undefined;
  const key = field(head.text, "sec-websocket-key") ?? "";
  return {
    tunnel: Number(field(head.text, "x-tunnel")),
    early: head.rest,
    answer: (more) => {
      const text =
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Accept: ${acceptOf(key)}${END}`;
      socket.write(Buffer.concat([Buffer.from(text), more]));
    },
  };
}
