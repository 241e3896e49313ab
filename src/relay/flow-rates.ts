import { TokenBucket } from "./token-bucket.ts";
import type { FramePolicy } from "./types.ts";

/** What is counted by its beginning. */
export type RatedKind = "message" | "control";

type RatePolicy = Pick<FramePolicy, "messagesPerSecond" | "bytesPerSecond" | "controlFramesPerSecond">;

/** The rates of one direction, each with a burst of one second's worth. */
export class FlowRates {
  readonly #messages: TokenBucket | undefined;
  readonly #controls: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;

  constructor(policy: RatePolicy, nowMs: number) {
    this.#messages = bucketOf(policy.messagesPerSecond, nowMs);
    this.#controls = bucketOf(policy.controlFramesPerSecond, nowMs);
    this.#bytes = bucketOf(policy.bytesPerSecond, nowMs);
  }

  /** Whether a policy has rates at all. */
  static has(policy: RatePolicy): boolean {
    return policy.messagesPerSecond > 0 || policy.bytesPerSecond > 0 || policy.controlFramesPerSecond > 0;
  }

  static areSame(one: RatePolicy, other: RatePolicy): boolean {
    return (
      one.messagesPerSecond === other.messagesPerSecond &&
      one.bytesPerSecond === other.bytesPerSecond &&
      one.controlFramesPerSecond === other.controlFramesPerSecond
    );
  }

  /** 0 = it may begin, and is counted; else the milliseconds after which it may be asked again. */
  begin(kind: RatedKind, nowMs: number): number {
    const bucket = kind === "message" ? this.#messages : this.#controls;
    return bucket?.tryTake(1, nowMs) ?? 0;
  }

  /** Bytes that have passed: the milliseconds until more may. */
  payForBytes(count: number, nowMs: number): number {
    return this.#bytes?.take(count, nowMs) ?? 0;
  }
}

function bucketOf(ratePerSecond: number, nowMs: number): TokenBucket | undefined {
  return ratePerSecond > 0 ? new TokenBucket(ratePerSecond, nowMs) : undefined;
}
