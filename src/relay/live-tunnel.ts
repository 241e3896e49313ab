import type { Socket } from "node:net";
import { CLOSE_CODES } from "./close-codes.ts";
import { faultCount } from "./frame-faults.ts";
import { Flow, type FlowOwner, LINGER_MS } from "./flow.ts";
import type { ReadPage } from "./read-page.ts";
import type { RosterMember } from "./roster.ts";
import { leaveSeat, type Seat, type SeatOwner, takeSeat } from "./seat.ts";
import type { TimerHandle, TimerWheel } from "./timer-wheel.ts";
import type { EndCause, Join, PolicyRef, Tunnel, TunnelEnd, TunnelPolicy, TunnelStats } from "./types.ts";

/** After FIN of one side the other half has so long to finish. */
const HALF_OPEN_MS = 30_000;
/** A changed policy may find many tunnels overdue: they end over this share of the limit, and no longer than this. */
const OVERDUE_SPREAD_SHARE = 0.2;
const OVERDUE_SPREAD_MS = 30_000;
/** After both our FINs the peers have so long to close TCP, and longer while bytes still wait for a slow one. */
const SETTLE_MS = 5_000;
const SETTLE_SLOW_MS = 30_000;

/** What every tunnel of a relay shares. */
export interface TunnelSurroundings<Context> {
  readonly wheel: TimerWheel;
  readonly now: () => number;
  readonly random: () => number;
  readonly page: ReadPage;
  /** What sockets read into: the page, or a buffer that Node makes for each read. */
  readonly reading: "page" | "stream";
  /** Both sockets are closed and nothing of the tunnel is left. */
  readonly onEnd: (tunnel: LiveTunnel<Context>, end: TunnelEnd) => void;
}

/** Two flows and why they end. */
export class LiveTunnel<Context> implements Tunnel<Context>, FlowOwner, SeatOwner, RosterMember {
  rosterPlace = -1;
  readonly context: Context;
  readonly openedAtMs: number;
  lastActiveAtMs: number;
  /** `probePeers` was called. */
  isProbing = false;

  readonly #surroundings: TunnelSurroundings<Context>;
  readonly #wheel: TimerWheel;
  readonly #up: Flow;
  readonly #down: Flow;
  readonly #client: Seat;
  readonly #backend: Seat;
  readonly #policyRef: PolicyRef;
  #policy: TunnelPolicy;
  /** How much of the jitter this tunnel gets, 0 to 1. */
  readonly #jitter: number;
  #cause: EndCause | undefined = undefined;
  #socketsOpen = 2;
  #idleTimer: TimerHandle | undefined = undefined;
  #lifetimeTimer: TimerHandle | undefined = undefined;
  #settleTimer: TimerHandle | undefined = undefined;

  constructor(join: Join<Context>, surroundings: TunnelSurroundings<Context>) {
    const { wheel, random, page } = surroundings;
    const client = join.client.socket;
    const backend = join.backend.socket;
    this.#surroundings = surroundings;
    this.#wheel = wheel;
    this.context = join.context;
    this.openedAtMs = surroundings.now();
    this.lastActiveAtMs = this.openedAtMs;
    this.#policyRef = join.policy;
    this.#policy = join.policy.current;
    this.#jitter = random();
    const { reservedBits } = join.negotiated;
    const around = { owner: this, page, wheel, random, reservedBits };
    this.#up = new Flow({ from: "client", source: client, sink: backend }, around);
    this.#down = new Flow({ from: "backend", source: backend, sink: client }, around);
    this.#client = { socket: client, reads: this.#up, writes: this.#down, owner: this };
    this.#backend = { socket: backend, reads: this.#down, writes: this.#up, owner: this };
    const into = surroundings.reading === "page" ? page.buffer : undefined;
    takeSeat(this.#client, into);
    takeSeat(this.#backend, into);
  }

  /** Early bytes first, then the sockets flow. Apart from the constructor, since an end may come of it. */
  start(clientEarly: Uint8Array, backendEarly: Uint8Array): void {
    if (clientEarly.length > 0) this.#up.push(clientEarly);
    if (backendEarly.length > 0) this.#down.push(backendEarly);
    this.#armIdle();
    this.#armLifetime();
    this.#up.startReading();
    this.#down.startReading();
    if (!isAtEnd(this.#client.socket) && !isAtEnd(this.#backend.socket)) return;
    queueMicrotask(() => {
      this.#catchUp(this.#client);
      this.#catchUp(this.#backend);
    });
  }

  get stats(): TunnelStats {
    return {
      bytesUp: this.#up.bytes,
      bytesDown: this.#down.bytes,
      messagesUp: this.#up.tracker.messages,
      messagesDown: this.#down.tracker.messages,
    };
  }

  get isOpaque(): boolean {
    return this.#up.tracker.isOpaque || this.#down.tracker.isOpaque;
  }

  close(cause: Extract<EndCause, "idle" | "lifetime" | "proxy_shutdown">): void {
    if (this.#cause !== undefined) {
      // Another end is under way; nothing is injected into it, but it must come to its end.
      this.#up.limit(LINGER_MS);
      this.#down.limit(LINGER_MS);
      return;
    }
    this.#begin(cause);
    this.#up.seek(CLOSE_CODES[cause].toBackend);
    this.#down.seek(CLOSE_CODES[cause].toClient);
  }

  cut(): void {
    this.#begin("cut");
    this.#client.socket.destroy();
    this.#backend.socket.destroy();
    this.#up.finish();
    this.#down.finish();
  }

  /** Makes TCP ask whether the peers are still there after so long a silence; to be said once. */
  probePeers(afterMs: number): void {
    this.isProbing = true;
    this.#client.socket.setKeepAlive(true, afterMs);
    this.#backend.socket.setKeepAlive(true, afterMs);
  }

  /** Sets idle and lifetime anew if the policy is another than before. */
  retime(): void {
    if (this.#policyRef.current === this.#policy) return;
    this.#policy = this.#policyRef.current;
    if (this.#cause !== undefined) return;
    this.#armIdle(this.#spreadMs(this.#policy.idleMs));
    this.#armLifetime(this.#spreadMs(this.#policy.lifetimeMs));
  }

  noteActivity(): void {
    this.lastActiveAtMs = this.#wheel.nowMs;
  }

  closeSeen(flow: Flow): void {
    const other = this.#opposite(flow);
    this.#cause ??= flow.from === "client" ? "client_close" : "backend_close";
    if (other.isTold) other.finish();
    else if (other.isOpen && other.tracker.hasClose) {
      flow.limit(LINGER_MS);
      other.limit(LINGER_MS);
    }
  }

  codeToldTo(flow: Flow): number | undefined {
    return this.#opposite(flow).spokenCode;
  }

  mayStillClose(flow: Flow): boolean {
    const answers = this.#opposite(flow);
    return !answers.tracker.hasClose && !answers.isSourceDone;
  }

  flowFinished(): void {
    if (!this.#up.isFinished || !this.#down.isFinished || this.#socketsOpen === 0) return;
    const isWaitedFor = this.#isSlow(this.#client) || this.#isSlow(this.#backend);
    this.#settleTimer = this.#wheel.schedule(isWaitedFor ? SETTLE_SLOW_MS : SETTLE_MS, () => {
      this.#client.socket.destroy();
      this.#backend.socket.destroy();
    });
  }

  sourceEnded(seat: Seat): void {
    if (seat.reads.isSourceDone) return;
    seat.reads.isSourceDone = true;
    // A client may close its half and still listen; a backend that goes without Close is lost.
    const isBackendLost = this.#cause === undefined && seat.reads.from === "backend";
    if (this.#cause === undefined) this.#begin(isBackendLost ? "backend_lost" : "client_lost");
    if (isBackendLost) this.#tellOfLoss(seat);
    else seat.reads.passFin();
    if (seat.writes.isTold) seat.writes.finish();
    else seat.writes.limit(seat.writes.tracker.hasClose ? LINGER_MS : HALF_OPEN_MS);
  }

  socketClosed(seat: Seat): void {
    leaveSeat(seat);
    // What had been read from it before it broke still lies in its buffer.
    while (!seat.reads.isSourceDone) {
      const chunk = seat.socket.read() as Uint8Array | null;
      if (chunk === null) break;
      seat.reads.push(chunk);
    }
    const isNews = !seat.reads.isSourceDone;
    seat.reads.isSourceDone = true;
    this.#socketsOpen -= 1;
    seat.writes.finish();
    if (this.#cause === undefined) {
      this.#begin(seat.reads.from === "client" ? "client_lost" : "backend_lost");
      this.#tellOfLoss(seat);
    } else if (isNews) seat.reads.passFin();
    if (this.#socketsOpen === 0) this.#end();
  }

  /** The side of this seat is gone without a Close: the other side is told, and the lost one where it still listens. */
  #tellOfLoss(seat: Seat): void {
    const codes = CLOSE_CODES[seat.reads.from === "client" ? "client_lost" : "backend_lost"];
    seat.reads.tell(seat.reads.from === "client" ? codes.toBackend : codes.toClient);
    if (seat.writes.isFinished) return;
    if (seat.writes.tracker.isAtFrameBoundary) seat.writes.tell(codes.toBackend);
    else seat.writes.finish();
  }

  #opposite(flow: Flow): Flow {
    return flow === this.#up ? this.#down : this.#up;
  }

  /** An end that is not a peer's Close: the first cause stays, and the policy has no say any more. */
  #begin(cause: EndCause): void {
    this.#cause ??= cause;
    this.#wheel.cancel(this.#idleTimer);
    this.#wheel.cancel(this.#lifetimeTimer);
  }

  /** A socket that ended or closed before it came to us has no event left to say so. */
  #catchUp(seat: Seat): void {
    if (seat.socket.closed && this.#socketsOpen > 0 && !seat.reads.isSourceDone) this.socketClosed(seat);
    else if (seat.socket.readableEnded) this.sourceEnded(seat);
  }

  /** This tunnel's place among those that a changed limit finds overdue. */
  #spreadMs(limitMs: number): number {
    return this.#jitter * Math.min(limitMs * OVERDUE_SPREAD_SHARE, OVERDUE_SPREAD_MS);
  }

  #armIdle(whenOverdueMs = 0): void {
    this.#wheel.cancel(this.#idleTimer);
    const { idleMs } = this.#policy;
    if (idleMs <= 0) return;
    // A tick more, since the coarse clock may date activity a tick early.
    const leftMs = this.lastActiveAtMs + idleMs + this.#wheel.tickMs - this.#surroundings.now();
    this.#idleTimer = this.#wheel.schedule(leftMs > 0 ? leftMs : whenOverdueMs, () => this.#checkIdle());
  }

  /** Activity only notes the time, and the timer looks at it when it fires. */
  #checkIdle(): void {
    const quietMs = this.#surroundings.now() - this.lastActiveAtMs;
    if (quietMs >= this.#policy.idleMs + this.#wheel.tickMs) this.close("idle");
    else this.#armIdle();
  }

  #armLifetime(whenOverdueMs = 0): void {
    this.#wheel.cancel(this.#lifetimeTimer);
    const { lifetimeMs, lifetimeJitterPercent } = this.#policy;
    if (lifetimeMs <= 0) return;
    const endsAtMs = this.openedAtMs + lifetimeMs * (1 - (this.#jitter * lifetimeJitterPercent) / 100);
    const leftMs = endsAtMs - this.#surroundings.now();
    this.#lifetimeTimer = this.#wheel.schedule(leftMs > 0 ? leftMs : whenOverdueMs, () => this.close("lifetime"));
  }

  /** Bytes still wait for this peer. */
  #isSlow(seat: Seat): boolean {
    return !seat.socket.destroyed && seat.socket.writableLength > 0;
  }

  #end(): void {
    this.#begin("cut");
    this.#wheel.cancel(this.#settleTimer);
    const cause = this.#cause ?? "cut";
    this.#surroundings.onEnd(this, {
      by: cause.startsWith("client") ? "client" : cause.startsWith("backend") ? "backend" : "holdfast",
      cause,
      codeToClient: this.#down.closeCode,
      codeToBackend: this.#up.closeCode,
      midFrame: this.#up.isMidFrame || this.#down.isMidFrame,
      opaque: this.isOpaque,
      clientFaults: faultCount(this.#up.tracker),
      backendFaults: faultCount(this.#down.tracker),
      durationMs: this.#surroundings.now() - this.openedAtMs,
      stats: this.stats,
    });
  }
}

/** It has told its end to whoever listened before. */
function isAtEnd(socket: Socket): boolean {
  return socket.closed || socket.readableEnded;
}
