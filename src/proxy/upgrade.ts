import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Negotiated, PolicyRef, Side, TimerHandle } from "../relay/index.ts";
import type { CompiledRule } from "../routing/index.ts";
import type { BackendId, Lease, LeaseOutcome, Wish } from "../upstream/index.ts";
import { answerHeaders, type ProxyErrorCode } from "./answers.ts";
import { type HandshakeAnswer, sendHandshake } from "./backend-handshake.ts";
import { type DataPath, factsOf, safeReason, tellRefused, textOf } from "./data-path.ts";
import { dial, type DialAnswer, dialAnswer } from "./dial.ts";
import { EarlyBytes } from "./early-bytes.ts";
import { checkSwitch } from "./handshake-response.ts";
import { breakOff, linger } from "./linger.ts";
import type { LiveRules } from "./live-rules.ts";
import { pairsOf, valuesOf } from "./raw-headers.ts";
import { formatHead, refuseSocket, withConnection } from "./refuse.ts";
import { answerFault, refusalHeaders } from "./response-headers.ts";
import type { Decision, HeaderPair, ReceivedHead } from "./types.ts";

export interface UpgradeRequest {
  readonly head: ReceivedHead;
  /** HTTP has let go of it. */
  readonly socket: Socket;
  /** What was read behind the head. */
  readonly early: Buffer;
  readonly clientAddress: string;
}

/** A handshake that came to its 101, which the client has been sent. Lease and rule are the tunnel's to give back. */
export interface OpenedTunnel {
  readonly client: Side;
  readonly backend: Side;
  readonly policy: PolicyRef;
  readonly negotiated: Negotiated;
  readonly rule: CompiledRule;
  readonly lease: Lease;
  readonly clientAddress: string;
  readonly durationMs: number;
}

export interface UpgradeSurroundings {
  readonly path: DataPath;
  readonly liveRules: LiveRules;
  readonly onOpened: (opened: OpenedTunnel) => void;
  /** Called once, however the handshake ends. */
  readonly onDone: (handshake: UpgradeHandshake) => void;
}

/** Nothing has been tried yet. */
const NONE: ReadonlySet<BackendId> = new Set();

type TunnelDecision = Extract<Decision, { kind: "tunnel" }>;

/**
 * One handshake, from the client's complete head to the final answer. Ends exactly once: as a tunnel, with the
 * backend's refusal, with one of ours, or with the client gone. Until then its lease counts on the backend.
 */
export class UpgradeHandshake {
  readonly #path: DataPath;
  readonly #around: UpgradeSurroundings;
  readonly #in: UpgradeRequest;
  readonly #startedAtMs: number;
  readonly #early: EarlyBytes;
  /** Backends whose dial has failed. */
  #tried: Set<BackendId> | undefined = undefined;
  #rule: CompiledRule | undefined = undefined;
  #policy: PolicyRef | undefined = undefined;
  #lease: Lease | undefined = undefined;
  #lastFailure: DialAnswer = { code: "HF_NO_BACKEND", detail: "" };
  #deadline: TimerHandle | undefined = undefined;
  /** Gives up whatever goes on towards the backend. */
  #stopBackend: () => void = () => {};
  #isOver = false;

  constructor(upgrade: UpgradeRequest, around: UpgradeSurroundings) {
    this.#path = around.path;
    this.#around = around;
    this.#in = upgrade;
    this.#startedAtMs = around.path.now();
    const { maxEarlyBytes } = around.path.limits;
    this.#early = new EarlyBytes(upgrade.socket, upgrade.early, {
      maxBytes: maxEarlyBytes,
      onGone: () => this.#abandon(),
    });
  }

  /** Decides and goes. Failures become answers; it never throws. */
  start(): void {
    const { head, clientAddress } = this.#in;
    try {
      const decision = this.#path.decider.decide(factsOf(head, clientAddress));
      // A decider that knows at once costs no turn of the microtask queue.
      if (decision instanceof Promise) void this.#await(decision);
      else this.#follow(decision);
    } catch (error) {
      this.refuse("HF_INTERNAL", textOf(error));
    }
  }

  async #await(decision: Promise<Decision>): Promise<void> {
    try {
      this.#follow(await decision);
    } catch (error) {
      this.refuse("HF_INTERNAL", textOf(error));
    }
  }

  #follow(decision: Decision): void {
    if (this.#isOver) return;
    if (decision.kind === "refuse") {
      this.#rule = decision.entry?.rule;
      this.refuse(decision.code, decision.detail, decision.headers);
    } else if (decision.kind === "tunnel") this.#open(decision);
    else this.refuse("HF_BAD_REQUEST", "an upgrade that could be read in two ways");
  }

  /** Ends the handshake with an answer of ours. */
  refuse(code: ProxyErrorCode, detail: string, headers: readonly HeaderPair[] = answerHeaders(code)): void {
    if (!this.#finish("lost")) return;
    this.#stopBackend();
    const { head, socket, clientAddress } = this.#in;
    tellRefused(this.#path.observer, { code, detail, rule: this.#rule, clientAddress, isUpgrade: true });
    const accept = valuesOf(head.headers, "accept").join(", ");
    refuseSocket(socket, { code, detail, headers, accept }, this.#path);
  }

  #open(decision: TunnelDecision): void {
    const { rule } = decision.entry;
    this.#rule = rule;
    this.#policy = this.#around.liveRules.enter(rule);
    if (rule.policy.handshakeMs > 0) {
      this.#deadline = this.#path.wheel.schedule(this.#remainingMs(rule), () => this.#onDeadline());
    }
    this.#dialNext(decision);
  }

  /** A dead backend must not cost the client its handshake while others are ready: each is tried once. */
  #dialNext(decision: TunnelDecision): void {
    const { balancer, wheel, limits, isForbidden } = this.#path;
    const { rule } = decision.entry;
    const mayDial = this.#triedCount < limits.maxDials;
    const lease = mayDial ? balancer.acquire(rule, this.#wish(decision)) : undefined;
    if (lease === undefined) {
      const { code, detail } = this.#lastFailure;
      return this.refuse(code, [detail, this.#triedText()].filter((text) => text !== "").join("; "));
    }
    this.#lease = lease;
    const timeoutMs = Math.min(limits.connectTimeoutMs, this.#remainingMs(rule) / 2);
    this.#stopBackend = dial(lease.backend, { wheel, timeoutMs, isForbidden }, (result) => {
      if ("socket" in result) return this.#send(decision, result.socket);
      this.#tried ??= new Set();
      this.#tried.add(lease.backend.id);
      lease.release("dialFailed");
      this.#lease = undefined;
      this.#lastFailure = dialAnswer(result.failure, result.reason);
      this.#dialNext(decision);
    });
  }

  #wish({ hashKey }: TunnelDecision): Wish {
    return { use: "tunnel", tried: this.#tried ?? NONE, hashKey, affinity: undefined };
  }

  #send(decision: TunnelDecision, socket: Socket): void {
    const { maxHeadBytes } = this.#path.limits;
    // By way of a name: V8 allocates a function that is assigned to a property at once in its old generation, where it
    // would keep the whole handshake, long over, until the next full collection.
    const stop = (): void => void socket.destroy();
    this.#stopBackend = stop;
    try {
      sendHandshake(socket, decision.head, { maxHeadBytes }, (answer) => this.#onAnswer(decision, socket, answer));
    } catch (error) {
      // A head that cannot be written.
      this.refuse("HF_BAD_REQUEST", textOf(error));
    }
  }

  #onAnswer(decision: TunnelDecision, backend: Socket, answer: HandshakeAnswer): void {
    if (this.#isOver) return;
    if (answer.kind === "failed") this.refuse(answer.code, answer.detail);
    else if (answer.kind === "refused") this.#passRefusal(decision, answer.response);
    else this.#switch(decision, backend, answer);
  }

  #switch(decision: TunnelDecision, backend: Socket, answer: Extract<HandshakeAnswer, { kind: "switched" }>): void {
    const { rule } = decision.entry;
    const check = checkSwitch(decision.offered, answer.headers, this.#shape(rule));
    if (!check.ok) return this.refuse("HF_BAD_SWITCH", check.detail);
    const lease = this.#lease;
    const policy = this.#policy;
    if (lease === undefined || policy === undefined) return;
    // The tunnel's from here on.
    this.#lease = undefined;
    this.#policy = undefined;
    this.#finish("closed");
    const { socket, clientAddress } = this.#in;
    lease.opened();
    socket.write(formatHead(101, "Switching Protocols", check.headers), "latin1");
    this.#around.onOpened({
      client: { socket, early: this.#early.take() },
      backend: { socket: backend, early: answer.early },
      policy,
      negotiated: check.negotiated,
      rule,
      lease,
      clientAddress,
      durationMs: this.#path.now() - this.#startedAtMs,
    });
  }

  /** The backend says no: its answer goes on with its body, framed by its length or by our end of the connection. */
  #passRefusal(decision: TunnelDecision, response: IncomingMessage): void {
    const { rule } = decision.entry;
    const status = response.statusCode ?? 0;
    const received = pairsOf(response.rawHeaders);
    const fault = answerFault(status, received);
    if (fault !== undefined) return this.refuse("HF_BACKEND_BAD_RESPONSE", fault);
    const lease = this.#lease;
    this.#lease = undefined;
    if (!this.#finish("refused")) return;
    const { socket } = this.#in;
    const { observer, wheel, limits, now } = this.#path;
    const headers = refusalHeaders(status, received, this.#shape(rule));
    socket.write(formatHead(status, safeReason(response.statusMessage), withConnection(headers, "close")), "latin1");
    const durationMs = now() - this.#startedAtMs;
    observer.forwarded({ route: rule.route, rule: rule.rule, status, durationMs, upgrade: true });
    response.pipe(socket, { end: false });
    // Neither a backend that never ends its refusal nor a client that never reads it keeps the lease.
    const timer = wheel.schedule(limits.slowReaderMs, () => breakOff(socket));
    response.once("end", () => linger(socket, this.#path));
    response.once("close", () => {
      wheel.cancel(timer);
      lease?.release("refused");
      if (!response.complete) breakOff(socket);
    });
    socket.once("close", () => response.destroy());
    // The client has nothing more to say; its end is seen only where it is read.
    socket.resume();
  }

  #onDeadline(): void {
    this.refuse("HF_HANDSHAKE_TIMEOUT", this.#lease === undefined ? "" : this.#triedText());
  }

  #abandon(): void {
    if (!this.#finish("closed")) return;
    this.#stopBackend();
    // Whoever has closed its half can have no tunnel any more.
    this.#in.socket.destroy();
  }

  /** True once: whoever gets it says how the handshake ends. */
  #finish(outcome: LeaseOutcome): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#path.wheel.cancel(this.#deadline);
    this.#early.stop();
    this.#lease?.release(outcome);
    if (this.#policy !== undefined && this.#rule !== undefined) this.#around.liveRules.leave(this.#rule.id);
    this.#around.onDone(this);
    return true;
  }

  #remainingMs(rule: CompiledRule): number {
    const { handshakeMs } = rule.policy;
    if (handshakeMs === 0) return Number.POSITIVE_INFINITY;
    return Math.max(1, handshakeMs - (this.#path.now() - this.#startedAtMs));
  }

  #shape(rule: CompiledRule): { edits: CompiledRule["responseHeaders"]; pseudonym: string } {
    return { edits: rule.responseHeaders, pseudonym: this.#path.pseudonym };
  }

  get #triedCount(): number {
    return this.#tried?.size ?? 0;
  }

  #triedText(): string {
    // One that has not failed holds a lease.
    const count = this.#triedCount + (this.#lease === undefined ? 0 : 1);
    return count > 1 ? `${count} backends were tried` : "";
  }
}
