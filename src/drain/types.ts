import type { CloseWords, PlannedCause, Tunnel } from "../relay/index.ts";
import type { RuleId } from "../routing/index.ts";
import type { Backend, Departure } from "../upstream/index.ts";

/** What a drain has to know of a tunnel besides how to close it. */
export interface DrainContext {
  readonly ruleId: RuleId;
  readonly lease: { readonly backend: Backend };
}

/** A live tunnel, as far as drains look at it. */
export type DrainableTunnel = Pick<Tunnel<DrainContext>, "context" | "lastActiveAtMs" | "isEnding" | "close">;

/** Why tunnels are drained: see `Departure`; unweighted: their rule gives the upstream no share any more. */
export type DrainReason = Departure | "unweighted" | "operator" | "shutdown";

/** How fast tunnels are closed. */
export interface Pace {
  /** The last one is gone so long after the beginning. 0 = as soon as `perSecond` allows, and never late. */
  readonly withinMs: number;
  /** At most so many in any second; 0 = as many as `withinMs` asks for. */
  readonly perSecond: number;
}

/** With which words tunnels are closed. */
export interface CloseTerms {
  readonly cause: Extract<PlannedCause, "drained" | "admin" | "proxy_shutdown">;
  /** For the client; undefined = the code of the cause. */
  readonly words: CloseWords | undefined;
}

/** What is drained, for logs and lists. Names are undefined where the drain is about more than one. */
export interface DrainTarget {
  readonly id: string;
  readonly reason: DrainReason;
  readonly ruleId: RuleId | undefined;
  readonly upstream: string | undefined;
  /** `address:port`. */
  readonly backend: string | undefined;
  /** In words, where names do not say it. */
  readonly text: string | undefined;
}

/** running: closing. late: the time is up, and some are left. done: nobody is left. stopped: called off. */
export type DrainState = "running" | "late" | "done" | "stopped";

/** A drain at this moment. */
export interface DrainFacts extends DrainTarget, Pace {
  readonly state: DrainState;
  /** Not yet told to close. */
  readonly waiting: number;
  /** Told, and not yet gone. */
  readonly closing: number;
  /** Gone since it began, whoever ended them. */
  readonly gone: number;
  /** On the wheel's clock. */
  readonly startedAtMs: number;
  /** When the last one is to be gone. */
  readonly endsAtMs: number;
}

/** Told of drains, for logs and counters. Each call is cheap and never throws. */
export interface DrainObserver {
  began(drain: DrainFacts): void;
  /** Its time is up and some are left; closing goes on at the pace. */
  late(drain: DrainFacts): void;
  /** Done or stopped. */
  ended(drain: DrainFacts): void;
}
