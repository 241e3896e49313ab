import { CLOSE_CODES } from "./close-codes.ts";
import { Flow } from "./flow.ts";
import { LINGER_MS } from "./flow-ending.ts";
import type { FlowStop } from "./gate-host.ts";
import type { FlowOwner } from "./flow-owner.ts";
import type { KeepaliveLine } from "./keepalive.ts";
import type { RosterMember } from "./roster.ts";
import { isAtEnd, isSlow, leaveSeat, type Seat, type SeatOwner, takeLeftovers, takeSeat } from "./seat.ts";
import type { TimerHandle } from "./timer-wheel.ts";
import { endOf, type Flows, statsOf } from "./tunnel-end.ts";
import type { TunnelSurroundings } from "./tunnel-surroundings.ts";
import { type TimedTunnel, TunnelTimes } from "./tunnel-times.ts";
import type {
  CloseWords,
  EndCause,
  Join,
  PlannedCause,
  PolicyRef,
  Tunnel,
  TunnelPolicy,
  TunnelStats,
} from "./types.ts";

/** After FIN of one side the other half has so long to finish. */
const HALF_OPEN_MS = 30_000;
/** After both our FINs the peers have so long to close TCP, and longer while bytes still wait for a slow one. */
const SETTLE_MS = 5_000;
const SETTLE_SLOW_MS = 30_000;

/** Two flows and why they end. */
export class LiveTunnel<Context> implements Tunnel<Context>, FlowOwner<Flow>, SeatOwner, TimedTunnel, RosterMember {
  rosterPlace = -1;
  readonly context: Context;
  readonly openedAtMs: number;
  /** `settle` was called. */
  isSettled = false;

  readonly #surroundings: TunnelSurroundings<LiveTunnel<Context>>;
  readonly #up: Flow;
  readonly #down: Flow;
  readonly #client: Seat;
  readonly #backend: Seat;
  readonly #policyRef: PolicyRef;
  #policy: TunnelPolicy;
  readonly #times: TunnelTimes;
  #cause: EndCause | undefined = undefined;
  /** When that came to be. */
  #causeAtMs = 0;
  /** We end it for what a side sent: that its framing is lost as well is no news. */
  #isStopped = false;
  /** It was lost before that. */
  #wasOpaque = false;
  /** The peers were not waited for any longer. */
  #isForced = false;
  #socketsOpen = 2;
  #settleTimer: TimerHandle | undefined = undefined;

  constructor(join: Join<Context>, surroundings: TunnelSurroundings<LiveTunnel<Context>>) {
    const { wheel, random, page, backlogs } = surroundings;
    const client = join.client.socket;
    const backend = join.backend.socket;
    this.#surroundings = surroundings;
    this.context = join.context;
    this.openedAtMs = surroundings.now();
    this.#policyRef = join.policy;
    this.#policy = join.policy.current;
    this.#times = new TunnelTimes(this, random(), surroundings);
    const { reservedBits } = join.negotiated;
    const around = { owner: this, page, wheel, random, reservedBits, policy: this.#policy, backlogs };
    this.#up = new Flow({ from: "client", source: client, sink: backend }, around);
    this.#down = new Flow({ from: "backend", source: backend, sink: client }, around);
    this.#up.tracker.opposite = this.#down.tracker;
    this.#down.tracker.opposite = this.#up.tracker;
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
    if (this.#cause === undefined) this.#times.start(this.#policy);
    this.#up.startReading();
    this.#down.startReading();
    if (!isAtEnd(this.#client) && !isAtEnd(this.#backend)) return;
    queueMicrotask(() => {
      this.#catchUp(this.#client);
      this.#catchUp(this.#backend);
    });
  }

  get stats(): TunnelStats {
    return statsOf(this.#flows);
  }

  get lastActiveAtMs(): number {
    return Math.max(this.#up.lastActiveAtMs, this.#down.lastActiveAtMs);
  }

  get isEnding(): boolean {
    return this.#cause !== undefined;
  }

  get isAheadOfRate(): boolean {
    return this.#up.isAheadOfRate;
  }

  lineTo(side: "client" | "backend"): KeepaliveLine {
    const seat = side === "client" ? this.#client : this.#backend;
    return { side, hears: seat.reads, speaks: seat.writes, onDead: () => this.#peerDead(seat) };
  }

  isOpaqueFor(flow: Flow): boolean {
    return flow.tracker.isOpaque || this.#isOpaque;
  }

  close(cause: PlannedCause, words?: CloseWords): void {
    if (this.#cause !== undefined) {
      // Another end is under way; nothing is injected into it, but it must come to its end.
      this.#up.limit(LINGER_MS);
      this.#down.limit(LINGER_MS);
      return;
    }
    this.#begin(cause);
    this.#up.seek(CLOSE_CODES[cause].toBackend);
    this.#down.seek(words?.code ?? CLOSE_CODES[cause].toClient, words?.reason);
  }

  cut(): void {
    this.#begin("cut");
    this.#destroyBoth();
  }

  hurry(): void {
    this.#up.hurry();
    this.#down.hurry();
  }

  /**
   * The tunnel has lived some seconds: what short ones can do without. TCP asks whether the peers are still there after
   * so long a silence, and so do we as the policy says.
   */
  settle(tcpKeepaliveMs: number): void {
    this.isSettled = true;
    this.#client.socket.setKeepAlive(true, tcpKeepaliveMs);
    this.#backend.socket.setKeepAlive(true, tcpKeepaliveMs);
    if (this.#cause === undefined) this.#times.settle(this.#policy);
  }

  /** Follows its policy if that is another than before. */
  retime(): void {
    if (this.#policyRef.current === this.#policy) return;
    this.#policy = this.#policyRef.current;
    if (this.#cause !== undefined) return;
    this.#times.follow(this.#policy);
    this.#up.setPolicy(this.#policy);
    this.#down.setPolicy(this.#policy);
  }

  closeSeen(flow: Flow): void {
    const other = this.#opposite(flow);
    this.#blame(flow.from === "client" ? "client_close" : "backend_close");
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
    // What waits for one that was shed is what has to go.
    const isWaitedFor = isSlow(this.#client) || isSlow(this.#backend);
    const settleMs = this.#cause === "buffers_full" ? 0 : isWaitedFor ? SETTLE_SLOW_MS : SETTLE_MS;
    this.#settleTimer = this.#surroundings.wheel.schedule(settleMs, () => {
      this.#isForced = true;
      this.#destroyBoth();
    });
  }

  stopped(flow: Flow, why: FlowStop): void {
    const cause = causeOf(why);
    this.#begin(cause);
    this.#wasOpaque = this.#isOpaque;
    this.#isStopped = true;
    const [toSink, toSource] = codesFor(flow, cause);
    // Of what is not allowed nothing has passed: its receiver stands between two frames, unless it is about bytes alone.
    if (flow.tracker.isAtFrameBoundary) flow.tell(toSink);
    else flow.seek(toSink);
    this.#opposite(flow).seek(toSource);
  }

  shed(): void {
    // One that is ending keeps its cause and loses its time.
    if (this.#cause !== undefined) return this.#destroyBoth();
    this.#begin("buffers_full");
    const { toClient, toBackend } = CLOSE_CODES.buffers_full;
    this.#up.tell(toBackend);
    this.#down.tell(toClient);
  }

  sourceEnded(seat: Seat): void {
    const { endPace } = this.#surroundings;
    if (endPace.takeTurn()) this.#onSourceEnd(seat);
    else endPace.later(() => this.#onSourceEnd(seat));
  }

  socketClosed(seat: Seat): void {
    const { endPace } = this.#surroundings;
    if (endPace.takeTurn()) this.#onSocketClose(seat);
    else endPace.later(() => this.#onSocketClose(seat));
  }

  #onSourceEnd(seat: Seat): void {
    if (seat.reads.isSourceDone) return;
    seat.reads.isSourceDone = true;
    const loss = this.#cause === undefined ? lossOf(seat) : undefined;
    if (loss !== undefined) this.#begin(loss);
    // A client may close its half and still listen, if the backend still speaks; a backend that goes so is lost.
    if (loss === "backend_lost") this.#tellOfLoss(seat, loss);
    else seat.reads.passFin(loss && CLOSE_CODES[loss].toBackend);
    if (seat.writes.isTold) seat.writes.finish();
    else seat.writes.limit(seat.writes.tracker.hasClose ? LINGER_MS : HALF_OPEN_MS);
  }

  #onSocketClose(seat: Seat): void {
    leaveSeat(seat);
    takeLeftovers(seat);
    const isNews = !seat.reads.isSourceDone;
    seat.reads.isSourceDone = true;
    this.#socketsOpen -= 1;
    seat.writes.finish();
    if (this.#cause === undefined) {
      const loss = lossOf(seat);
      this.#begin(loss);
      this.#tellOfLoss(seat, loss);
    } else if (isNews) seat.reads.passFin(undefined);
    if (this.#socketsOpen === 0) this.#end();
  }

  /** It is silent, and does not answer. */
  #peerDead(seat: Seat): void {
    const cause = seat.reads.from === "client" ? "client_dead" : "backend_dead";
    this.#begin(cause);
    this.#tellOfLoss(seat, cause);
    // A backend that only stopped answering may still read why; a client has been asked, and nothing more is said to it.
    if (cause === "client_dead") seat.socket.destroy();
  }

  /** The side of this seat is gone without a Close: the other side is told, and the lost one where it still listens. */
  #tellOfLoss(seat: Seat, cause: EndCause): void {
    const [toOther, toLost] = codesFor(seat.reads, cause);
    const isClient = seat.reads.from === "client";
    seat.reads.tell(toOther);
    if (seat.writes.isFinished) return;
    // A client that is gone does not miss the rest of a frame; a backend that only stopped to speak is told of no Close.
    if (!isClient || seat.writes.tracker.isAtFrameBoundary) seat.writes.tell(toLost);
    else seat.writes.finish();
  }

  #opposite(flow: Flow): Flow {
    return flow === this.#up ? this.#down : this.#up;
  }

  /** An end that is not a peer's Close: the first cause stays, and the policy has no say any more. */
  #begin(cause: EndCause): void {
    this.#blame(cause);
    this.#times.stop();
  }

  #blame(cause: EndCause): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#causeAtMs = this.#surroundings.now();
  }

  /** A socket that ended or closed before it came to us has no event left to say so. */
  #catchUp(seat: Seat): void {
    if (seat.socket.closed && this.#socketsOpen > 0 && !seat.reads.isSourceDone) this.#onSocketClose(seat);
    else if (seat.socket.readableEnded) this.#onSourceEnd(seat);
  }

  #destroyBoth(): void {
    this.#up.cut();
    this.#down.cut();
    this.#client.socket.destroy();
    this.#backend.socket.destroy();
  }

  #end(): void {
    this.#begin("cut");
    this.#surroundings.wheel.cancel(this.#settleTimer);
    this.#up.leave();
    this.#down.leave();
    this.#surroundings.onEnd(
      this,
      endOf(this.#flows, {
        cause: this.#cause ?? "cut",
        forced: this.#isForced,
        opaque: this.#isOpaque,
        roundTripMs: this.#times.roundTripMs,
        soundMs: this.#causeAtMs - this.openedAtMs,
        durationMs: this.#surroundings.now() - this.openedAtMs,
      }),
    );
  }

  get #isOpaque(): boolean {
    return this.#isStopped ? this.#wasOpaque : this.#up.tracker.isOpaque || this.#down.tracker.isOpaque;
  }

  get #flows(): Flows {
    return { up: this.#up, down: this.#down };
  }
}

function lossOf({ reads }: Seat): "client_lost" | "backend_lost" {
  return reads.from === "client" ? "client_lost" : "backend_lost";
}

function causeOf(why: FlowStop): EndCause {
  return why === "message_too_big" || why === "too_many_fragments" || why === "rate_limit" ? why : "protocol_error";
}

/** What a flow's sink is told of a cause, and what its source. */
function codesFor(flow: Flow, cause: EndCause): readonly [number | undefined, number | undefined] {
  const { toClient, toBackend } = CLOSE_CODES[cause];
  return flow.from === "client" ? [toBackend, toClient] : [toClient, toBackend];
}
