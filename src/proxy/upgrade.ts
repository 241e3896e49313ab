import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type AdmissionRefusal, isUnlimited, type Place, type RuleAdmissions } from "../admission/index.ts";
import type { Negotiated, PolicyRef, Side, TimerHandle } from "../relay/index.ts";
import type { CompiledRule } from "../routing/index.ts";
import type { Lease } from "../upstream/index.ts";
import { withAffinity } from "./affinity-cookie.ts";
import { admissionAnswer } from "./admission-answer.ts";
import { answerHeaders, type ProxyErrorCode } from "./answers.ts";
import { BackendTries, type TriesResult, type TunnelDecision } from "./backend-tries.ts";
import { type DataPath, factsOf, safeReason, tellRefused, textOf } from "./data-path.ts";
import { EarlyBytes } from "./early-bytes.ts";
import { breakOff, linger } from "./linger.ts";
import type { LiveRule, LiveRules } from "./live-rules.ts";
import { pairsOf, valuesOf } from "./raw-headers.ts";
import { formatHead, refuseSocket, withConnection } from "./refuse.ts";
import { refusalHeaders } from "./response-headers.ts";
import type { RetryBudgets } from "./retry-budget.ts";
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
  readonly admissions: RuleAdmissions;
  readonly budgets: RetryBudgets;
  readonly onOpened: (opened: OpenedTunnel) => void;
  /** Called once, however the handshake ends. */
  readonly onDone: (handshake: UpgradeHandshake) => void;
}

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
  #rule: CompiledRule | undefined = undefined;
  #live: LiveRule | undefined = undefined;
  /** Where it waits until its rule takes it on. */
  #place: Place | undefined = undefined;
  #tries: BackendTries | undefined = undefined;
  /** For so long it was held, which is not of its own time. */
  #heldMs = 0;
  #deadline: TimerHandle | undefined = undefined;
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
    if (!this.#finish()) return;
    const { head, socket, clientAddress } = this.#in;
    tellRefused(this.#path.observer, { code, detail, rule: this.#rule, clientAddress, isUpgrade: true });
    const accept = valuesOf(head.headers, "accept").join(", ");
    refuseSocket(socket, { code, detail, headers, accept }, this.#path);
  }

  #open(decision: TunnelDecision): void {
    const { rule } = decision.entry;
    const { liveRules, admissions, budgets } = this.#around;
    const live = liveRules.enter(rule);
    this.#rule = rule;
    this.#live = live;
    const tries = new BackendTries({
      path: this.#path,
      decision,
      rule: () => live.rule,
      budget: budgets.earn(rule.id, this.#startedAtMs),
      leftMs: () => this.#leftMs(rule),
      done: (result) => this.#onResult(rule, result),
    });
    this.#tries = tries;
    if (isUnlimited(live.rule.policy.admission)) {
      this.#begin(rule, tries, this.#path.balancer.acquire(live.rule, tries.wish));
      return;
    }
    this.#place = admissions.enter(live, {
      wish: tries.wish,
      admitted: (lease, heldMs) => this.#onAdmitted(rule, tries, lease, heldMs),
      refused: (refusal) => this.#onNotAdmitted(refusal),
    });
  }

  #onAdmitted(rule: CompiledRule, tries: BackendTries, lease: Lease, heldMs: number): void {
    this.#heldMs = heldMs;
    try {
      this.#begin(rule, tries, lease);
    } catch (error) {
      this.refuse("HF_INTERNAL", textOf(error));
    }
  }

  #onNotAdmitted(refusal: AdmissionRefusal): void {
    const { code, headers } = admissionAnswer(refusal);
    this.refuse(code, refusal.detail, headers);
  }

  #begin(rule: CompiledRule, tries: BackendTries, lease: Lease | undefined): void {
    if (rule.policy.handshakeMs > 0) {
      this.#deadline = this.#path.wheel.schedule(this.#leftMs(rule), () => {
        this.refuse("HF_HANDSHAKE_TIMEOUT", tries.inWords);
      });
    }
    tries.start(lease);
  }

  #onResult(rule: CompiledRule, result: TriesResult): void {
    if (result.kind === "failed") this.refuse(result.code, result.detail);
    else if (result.kind === "refused") this.#passRefusal(rule, result.lease, result.response);
    else this.#switch(rule, result);
  }

  #switch(
    rule: CompiledRule,
    { lease, socket: backend, check, early }: Extract<TriesResult, { kind: "switched" }>,
  ): void {
    const policy = this.#live;
    if (policy === undefined) return;
    // The tunnel's from here on.
    this.#live = undefined;
    this.#finish();
    const { socket, clientAddress } = this.#in;
    lease.opened();
    const headers = withAffinity(check.headers, rule.policy.affinity, lease.affinity);
    socket.write(formatHead(101, "Switching Protocols", headers), "latin1");
    this.#around.onOpened({
      client: { socket, early: this.#early.take() },
      backend: { socket: backend, early },
      policy,
      negotiated: check.negotiated,
      rule,
      lease,
      clientAddress,
      durationMs: this.#path.now() - this.#startedAtMs,
    });
  }

  /** The backend says no: its answer goes on with its body, framed by its length or by our end of the connection. */
  #passRefusal(rule: CompiledRule, lease: Lease, response: IncomingMessage): void {
    const status = response.statusCode ?? 0;
    this.#finish();
    const { socket } = this.#in;
    const { observer, wheel, limits, now, pseudonym } = this.#path;
    const passed = refusalHeaders(status, pairsOf(response.rawHeaders), { edits: rule.responseHeaders, pseudonym });
    // Whoever is refused elsewhere keeps the session where it is: a backend that takes no more tunnels answers it still.
    const strays = lease.affinity?.isNews === true && (this.#tries?.wish.affinity.length ?? 0) > 0;
    const headers = withAffinity(passed, rule.policy.affinity, strays ? undefined : lease.affinity);
    socket.write(formatHead(status, safeReason(response.statusMessage), withConnection(headers, "close")), "latin1");
    const durationMs = now() - this.#startedAtMs;
    observer.forwarded({ route: rule.route, rule: rule.rule, status, durationMs, upgrade: true });
    response.pipe(socket, { end: false });
    // Neither a backend that never ends its refusal nor a client that never reads it keeps the lease.
    const timer = wheel.schedule(limits.slowReaderMs, () => breakOff(socket));
    response.once("end", () => linger(socket, this.#path));
    response.once("close", () => {
      wheel.cancel(timer);
      lease.release("refused");
      if (!response.complete) breakOff(socket);
    });
    socket.once("close", () => response.destroy());
    // The client has nothing more to say; its end is seen only where it is read.
    socket.resume();
  }

  #abandon(): void {
    if (!this.#finish()) return;
    // Whoever has closed its half can have no tunnel any more.
    this.#in.socket.destroy();
  }

  /** True once: whoever gets it says how the handshake ends. What goes on towards a backend is given up. */
  #finish(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#path.wheel.cancel(this.#deadline);
    this.#early.stop();
    this.#place?.leave();
    this.#tries?.giveUp();
    if (this.#live !== undefined) {
      const { id } = this.#live.rule;
      this.#around.liveRules.leave(id);
      this.#around.admissions.left(id);
    }
    this.#around.onDone(this);
    return true;
  }

  /** Of the handshake's own time. */
  #leftMs(rule: CompiledRule): number {
    const { handshakeMs } = rule.policy;
    if (handshakeMs === 0) return Number.POSITIVE_INFINITY;
    return Math.max(1, handshakeMs + this.#heldMs - (this.#path.now() - this.#startedAtMs));
  }
}
