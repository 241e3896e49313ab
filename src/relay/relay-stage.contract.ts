import { createServer, type Server, type Socket, connect } from "node:net";
import { expect, onTestFinished } from "vitest";
import type {
  Negotiated,
  PolicyRef,
  Relay,
  RelayObserver,
  Side,
  Tunnel,
  TunnelEnd,
  TunnelEndListener,
  TunnelPolicy,
} from "./index.ts";

/** One implementation under test, with its clock in the test's hand. */
export interface RelayUnderTest {
  readonly relay: Relay<string>;
  /** Moves the relay's clock. */
  advance(ms: number): void;
  /** Timers that the relay has set and not cancelled. */
  pendingTimers(): number;
}

export type RelayFactory = (options: {
  readonly random: () => number;
  readonly observer?: RelayObserver | undefined;
  readonly onEnd: TunnelEndListener<string>;
}) => RelayUnderTest;

/** No subprotocol and no extension. */
export const NOTHING_NEGOTIATED: Negotiated = { subprotocol: undefined, reservedBits: 0 };

export const NO_LIMITS: TunnelPolicy = {
  idleMs: 0,
  lifetimeMs: 0,
  lifetimeJitterPercent: 0,
  pingMs: 0,
  backendPingMs: 0,
  pongTimeoutMs: 20_000,
  strictness: "Observe",
  maxMessageBytes: 0,
  maxFragments: 0,
  messagesPerSecond: 0,
  bytesPerSecond: 0,
  controlFramesPerSecond: 0,
  onLimit: "Close",
};

/** Waits for what will be; never sleeps for it. */
export async function until(condition: () => void, timeout = 8_000): Promise<void> {
  await expect.poll(() => attempt(condition), { timeout, interval: 5 }).toBe("");
}

function attempt(condition: () => void): string {
  try {
    condition();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

export interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly isMasked: boolean;
  readonly payload: Buffer;
}

const KEY = Buffer.from([0x21, 0x9f, 0x04, 0xc8]);

function flip(payload: Uint8Array, key: Uint8Array): Buffer {
  return Buffer.from(payload.map((byte, index) => byte ^ (key[index % 4] ?? 0)));
}

/** The head of a frame with so much payload; the payload may follow or not. */
export function frameHead(from: "client" | "backend", opcode: number, size: number): Buffer {
  const extension = size < 126 ? 0 : size < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extension);
  head[0] = 0x80 | opcode;
  head[1] = (from === "client" ? 0x80 : 0) | (extension === 0 ? size : extension === 2 ? 126 : 127);
  if (extension === 2) head.writeUInt16BE(size, 2);
  if (extension === 8) head.writeBigUInt64BE(BigInt(size), 2);
  return from === "client" ? Buffer.concat([head, KEY]) : head;
}

export function frame(from: "client" | "backend", opcode: number, payload: Uint8Array): Buffer {
  const body = from === "client" ? flip(payload, KEY) : payload;
  return Buffer.concat([frameHead(from, opcode, payload.length), body]);
}

/** The same frame without its FIN bit: more fragments follow. */
export function fragment(from: "client" | "backend", opcode: number, payload: Uint8Array): Buffer {
  const bytes = frame(from, opcode, payload);
  bytes[0] = opcode;
  return bytes;
}

export function closePayload(code: number): Buffer {
  return Buffer.from([code >>> 8, code & 0xff]);
}

/** Frames of bytes that hold whole frames. */
export function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = bytes.readUInt8(at);
    const second = bytes.readUInt8(at + 1);
    const short = second & 0x7f;
    at += 2;
    const size = short === 126 ? bytes.readUInt16BE(at) : short === 127 ? Number(bytes.readBigUInt64BE(at)) : short;
    at += short === 126 ? 2 : short === 127 ? 8 : 0;
    const isMasked = second >= 128;
    const key = isMasked ? bytes.subarray(at, at + 4) : Buffer.alloc(4);
    if (isMasked) at += 4;
    if (at + size > bytes.length) throw new Error("a frame is cut short");
    const payload = flip(bytes.subarray(at, at + size), key);
    frames.push({ opcode: first & 0x0f, isFinal: first >= 128, isMasked, payload });
    at += size;
  }
  return frames;
}

/** What a peer far from the relay sees and does, in plain bytes. */
export class Peer {
  readonly socket: Socket;
  hasEnded = false;
  isClosed = false;
  error: Error | undefined = undefined;
  bytesReceived = 0;
  readonly #chunks: Buffer[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", (error) => (this.error = error));
    socket.on("data", (chunk: Buffer) => {
      this.bytesReceived += chunk.length;
      this.#chunks.push(chunk);
    });
    socket.on("end", () => (this.hasEnded = true));
    socket.on("close", () => (this.isClosed = true));
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Codes of the Close frames that came. */
  get closeCodes(): number[] {
    return framesIn(this.received)
      .filter((one) => one.opcode === CLOSE)
      .map((one) => one.payload.readUInt16BE(0));
  }

  say(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }
}

/** A pair of sockets joined over loopback. */
export async function socketPair(): Promise<[far: Socket, near: Socket]> {
  const server: Server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const near = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  far.setNoDelay(true);
  const pair: [Socket, Socket] = [far, await near];
  server.close();
  onTestFinished(() => {
    for (const socket of pair) socket.on("error", () => {}).destroy();
  });
  return pair;
}

export const EVENTS = ["data", "end", "drain", "error", "close"] as const;

/** Everybody who listens to a socket. */
export function listenersOf(socket: Socket): readonly unknown[] {
  return EVENTS.flatMap((event) => socket.listeners(event));
}

/** A relay and all the ends it has told of. */
export class Stage implements RelayUnderTest {
  readonly relay: Relay<string>;
  readonly ends: TunnelEnd[] = [];
  readonly endedContexts: string[] = [];
  readonly #under: RelayUnderTest;

  constructor(factory: RelayFactory, random: () => number = () => 0.5, observer?: RelayObserver) {
    this.#under = factory({
      random,
      observer,
      onEnd: (tunnel, end) => {
        this.ends.push(end);
        this.endedContexts.push(tunnel.context);
      },
    });
    this.relay = this.#under.relay;
    onTestFinished(() => {
      for (const tunnel of this.relay.tunnels) tunnel.cut();
    });
  }

  advance(ms: number): void {
    this.#under.advance(ms);
  }

  pendingTimers(): number {
    return this.#under.pendingTimers();
  }

  async join(options: JoinOptions = {}): Promise<Joined> {
    const [clientFar, clientNear] = await socketPair();
    const [backendFar, backendNear] = await socketPair();
    const client = new Peer(clientFar);
    const backend = new Peer(backendFar);
    if (options.pauseBackend) backend.socket.pause();
    const side = (socket: Socket, early: Uint8Array | undefined): Side => ({
      socket,
      early: early ?? new Uint8Array(0),
    });
    const policy: { current: TunnelPolicy } = { current: { ...NO_LIMITS, ...options.policy } };
    const listenersBefore = [clientNear, backendNear].flatMap(listenersOf);
    const tunnel = this.relay.join({
      client: side(clientNear, options.clientEarly),
      backend: side(backendNear, options.backendEarly),
      policy: policy satisfies PolicyRef,
      negotiated: options.negotiated ?? NOTHING_NEGOTIATED,
      context: options.context ?? "context",
    });
    return {
      tunnel,
      policy,
      client,
      backend,
      near: [clientNear, backendNear],
      listenersBefore,
    };
  }

  /** The end of the only tunnel there was. */
  async end(): Promise<TunnelEnd> {
    await until(() => expect(this.ends).toHaveLength(1));
    const [end] = this.ends;
    if (end === undefined) throw new Error("no end");
    expect(this.relay.tunnels.size).toBe(0);
    expect(this.pendingTimers()).toBe(0);
    return end;
  }
}

export interface JoinOptions {
  readonly policy?: Partial<TunnelPolicy>;
  readonly negotiated?: Negotiated;
  readonly clientEarly?: Uint8Array;
  readonly backendEarly?: Uint8Array;
  readonly context?: string;
  /** The backend reads nothing until it is told to. */
  readonly pauseBackend?: true;
}

export interface Joined {
  readonly tunnel: Tunnel<string>;
  readonly policy: { current: TunnelPolicy };
  readonly client: Peer;
  readonly backend: Peer;
  /** The relay's own sockets: the client's, the backend's. */
  readonly near: readonly Socket[];
  readonly listenersBefore: readonly unknown[];
}
