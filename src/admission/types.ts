import type { CompiledRule } from "../routing/index.ts";
import type { Lease, Wish } from "../upstream/index.ts";

/** A rule as it is now, whatever it was when a handshake came. */
export interface RuleAtWork {
  readonly rule: CompiledRule;
  /** Its tunnels and its handshakes under way, those that wait here included. */
  readonly holders: number;
}

/** A handshake that asks to go on. One of the two is called, once, unless its place was left before. */
export interface Applicant {
  readonly wish: Wish;
  /** `heldMs`: for so long there was no backend; that is not of the handshake's own time. May come before `enter` returns. */
  admitted(lease: Lease, heldMs: number): void;
  refused(refusal: AdmissionRefusal): void;
}

/**
 * What keeps a handshake from going on. none: no backend is ready. tunnels: the rule has as many as it may. backends: each backend
 * has. rate: too many have begun just now.
 */
export type Block = "none" | "tunnels" | "backends" | "rate";

export interface AdmissionRefusal {
  /** leaving: the process takes on nobody any more. */
  readonly why: Block | "leaving";
  /** For the client and the log; may be empty. */
  readonly detail: string;
  /** When to come back, in whole seconds, different for each; undefined = as ever for such an answer. */
  readonly retryAfterS: number | undefined;
}

/** The place of one handshake among those of its rule. */
export interface Place {
  /** The client has gone: whoever waited behind it moves up. Does nothing once the handshake was admitted or refused. */
  leave(): void;
}

/** How many of a rule's handshakes wait, and for what: until a backend is ready (hold), or for a limit (queue). */
export interface WaitingCount {
  readonly route: string;
  readonly rule: string;
  readonly why: "hold" | "queue";
  readonly count: number;
}
