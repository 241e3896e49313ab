import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TimerHandle } from "../relay/index.ts";
import type { CompiledRule, RetryReason } from "../routing/index.ts";
import type { BackendId, Lease, LeaseOutcome, Wish } from "../upstream/index.ts";
import { type HandshakeAnswer, sendHandshake } from "./backend-handshake.ts";
import { type DataPath, textOf } from "./data-path.ts";
import { dial, type DialAnswer, dialAnswer, type DialFailure } from "./dial.ts";
import { FurtherTries } from "./further-tries.ts";
import { checkSwitch, type SwitchCheck } from "./handshake-response.ts";
import { pairsOf } from "./raw-headers.ts";
import { answerFault } from "./response-headers.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { Decision } from "./types.ts";

export type TunnelDecision = Extract<Decision, { kind: "tunnel" }>;

/** What came of it. The lease of a backend that answered goes to whoever is told; all others have been given back. */
export type TriesResult =
  | {
      readonly kind: "switched";
      readonly lease: Lease;
      readonly socket: Socket;
      readonly check: Extract<SwitchCheck, { ok: true }>;
      readonly early: Buffer;
    }
  | { readonly kind: "refused"; readonly lease: Lease; readonly response: IncomingMessage }
  | ({ readonly kind: "failed" } & DialAnswer);

export interface BackendTriesOptions {
  readonly path: DataPath;
  readonly decision: TunnelDecision;
  /** As it is now. */
  readonly rule: () => CompiledRule;
  readonly budget: RetryBudget;
  /** Of the handshake's time; infinity = as long as it takes. Above 0. */
  readonly leftMs: () => number;
  /** Called once, unless it was all given up before. */
  readonly done: (result: TriesResult) => void;
}

/** Nothing has been tried yet. */
const NONE: ReadonlySet<BackendId> = new Set();
/** Nothing goes on. */
const IDLE = (): void => {};

/**
 * One handshake on its way to a backend that answers it. What fails is tried again on another backend where the rule's `retry`
 * says so and nobody can tell: the client has had no byte of an answer yet.
 */
export class BackendTries {
  readonly #options: BackendTriesOptions;
  readonly #further: FurtherTries;
  /** All that a try was begun on. */
  #tried: Set<BackendId> | undefined = undefined;
  #lease: Lease | undefined = undefined;
  #share: TimerHandle | undefined = undefined;
  /** Gives up whatever goes on towards the backend. */
  #stop: () => void = IDLE;

  constructor(options: BackendTriesOptions) {
    const { rule, budget, path } = options;
    const { balancer, observer, now } = path;
    this.#options = options;
    this.#further = new FurtherTries({ rule, budget, balancer, observer, now, isUpgrade: true });
  }

  /** What is asked of the choice of a backend, now. */
  get wish(): Wish {
    const { hashKey, affinity } = this.#options.decision;
    return { use: "tunnel", tried: this.#tried ?? NONE, hashKey, affinity };
  }

  /** How many backends were tried, where that is worth a word. */
  get inWords(): string {
    const count = this.#tried?.size ?? 0;
    return count > 1 ? `${count} backends were tried` : "";
  }

  /** Begins on that backend, or tells at once that there is none. */
  start(lease: Lease | undefined): void {
    if (lease === undefined) this.#fail({ code: "HF_NO_BACKEND", detail: "" });
    else this.#try(lease);
  }

  /** Gives everything up; nobody is told. */
  giveUp(): void {
    this.#end("lost");
  }

  #try(lease: Lease): void {
    const { wheel, limits, isForbidden, now } = this.#options.path;
    this.#lease = lease;
    this.#tried ??= new Set();
    this.#tried.add(lease.backend.id);
    const leftMs = this.#options.leftMs();
    const more = this.#further.left("Timeout");
    // Where silence is a reason to try another one, each gets as much of the time as the others.
    const shareMs = more === 0 ? leftMs : leftMs / (more + 1);
    const endMs = now() + shareMs;
    const timeoutMs = Math.min(limits.connectTimeoutMs, more === 0 ? leftMs / 2 : shareMs);
    this.#stop = dial(lease.backend, { wheel, timeoutMs, isForbidden }, (result) => {
      if ("failure" in result) return this.#onNotDialled(lease, result.failure, result.reason);
      if (more > 0 && Number.isFinite(endMs)) {
        this.#share = wheel.schedule(endMs - now(), () => this.#onShareOver(lease));
      }
      this.#send(lease, result.socket);
    });
  }

  #onNotDialled(lease: Lease, failure: DialFailure, reason: string): void {
    lease.release("dialFailed");
    this.#lease = undefined;
    const isSilent = failure === "timeout" && this.#further.left("Connect") === 0;
    this.#goOn(isSilent ? "Timeout" : "Connect", dialAnswer(failure, reason));
  }

  #send(lease: Lease, socket: Socket): void {
    const { decision, path } = this.#options;
    const { maxHeadBytes } = path.limits;
    // By way of a name: V8 allocates a function that is assigned to a property at once in its old generation, where it
    // would keep the whole handshake, long over, until the next full collection.
    const stop = (): void => void socket.destroy();
    this.#stop = stop;
    try {
      sendHandshake(socket, decision.head, { maxHeadBytes }, (answer) => this.#onAnswer(lease, socket, answer));
    } catch (error) {
      // A head that cannot be written.
      this.#end("lost");
      this.#fail({ code: "HF_BAD_REQUEST", detail: textOf(error) });
    }
  }

  #onAnswer(lease: Lease, socket: Socket, answer: HandshakeAnswer): void {
    // It was given up.
    if (this.#lease !== lease) return;
    if (answer.kind === "failed") this.#onBadAnswer(answer);
    else if (answer.kind === "refused") this.#onRefused(lease, answer.response);
    else this.#onSwitch(lease, socket, answer);
  }

  #onSwitch(lease: Lease, socket: Socket, answer: Extract<HandshakeAnswer, { kind: "switched" }>): void {
    const { decision, path } = this.#options;
    const shape = { edits: decision.entry.rule.responseHeaders, pseudonym: path.pseudonym };
    const check = checkSwitch(decision.offered, answer.headers, shape);
    if (!check.ok) return this.#onBadAnswer({ code: "HF_BAD_SWITCH", detail: check.detail });
    this.#handOver();
    this.#options.done({ kind: "switched", lease, socket, check, early: answer.early });
  }

  /** The backend says no, which is passed on unless another one may say yes. */
  #onRefused(lease: Lease, response: IncomingMessage): void {
    const status = response.statusCode ?? 0;
    const fault = answerFault(status, pairsOf(response.rawHeaders));
    if (fault !== undefined) return this.#onBadAnswer({ code: "HF_BACKEND_BAD_RESPONSE", detail: fault });
    const next = status === 502 || status === 503 ? this.#further.next(`${status}`, this.wish) : undefined;
    if (next === undefined) {
      this.#handOver();
      this.#options.done({ kind: "refused", lease, response });
    } else {
      this.#end("refused");
      this.#try(next);
    }
  }

  #onBadAnswer(failure: DialAnswer): void {
    this.#end("badAnswer");
    this.#goOn("502", failure);
  }

  /** Silence: if there is somebody else to ask. If not, there is nothing better than to go on waiting. */
  #onShareOver(lease: Lease): void {
    if (this.#lease !== lease) return;
    const next = this.#further.next("Timeout", this.wish);
    if (next === undefined) return;
    this.#end("lost");
    this.#try(next);
  }

  #goOn(reason: RetryReason, failure: DialAnswer): void {
    const next = this.#further.next(reason, this.wish);
    if (next === undefined) this.#fail(failure);
    else this.#try(next);
  }

  #fail({ code, detail }: DialAnswer): void {
    const text = [detail, this.inWords].filter((part) => part !== "").join("; ");
    this.#options.done({ kind: "failed", code, detail: text });
  }

  /** What goes on now is somebody else's to end. */
  #handOver(): void {
    this.#options.path.wheel.cancel(this.#share);
    this.#lease = undefined;
    this.#stop = IDLE;
  }

  /** Ends the try that is under way. */
  #end(outcome: LeaseOutcome): void {
    const lease = this.#lease;
    const stop = this.#stop;
    this.#handOver();
    lease?.release(outcome);
    stop();
  }
}
