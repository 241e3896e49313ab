import { type After, type Log, pause } from "../controller/index.ts";
import { giveUpLease, heldMs, holdLease, isSameLease, type LeaseRecord, readLease } from "./lease-record.ts";
import { type Api, ApiError, type Leadership } from "./types.ts";

export interface LeaseTimings {
  /** A holder that does not renew for so long has lost it. */
  readonly leaseDurationMs: number;
  /** A holder that could not renew for so long is none any more, before anybody else may be. */
  readonly renewDeadlineMs: number;
  /** Between two looks. */
  readonly retryPeriodMs: number;
}

export interface LeaseElectorParts {
  readonly api: Api;
  readonly namespace: string;
  readonly name: string;
  /** Of this process and no other, of none before it either. */
  readonly identity: string;
  readonly log: Log;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970; written for people to read, never compared. */
  readonly wallMs: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly after: After;
  readonly timings?: LeaseTimings;
}

/** As the components of Kubernetes have it. */
const TIMINGS: LeaseTimings = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 };
/** Each try of a holder to renew, so that one that hangs leaves time for another. */
const TRIES_PER_DEADLINE = 2;
const RELEASE_TIMEOUT_MS = 2_000;
const MOST_RETRIES_AT_ONCE = 3;

/**
 * Takes part in the election of a leader by a Lease object. No other machine's clock is trusted: a holder has lost it
 * when its words have not changed for the lease's duration as seen from here, so a process that has just begun waits
 * that long, unless the holder gave it up. Every write names the version it replaces. Since a holder counts from before
 * its last renewal was sent, and stops earlier than others begin, no two lead at once, whatever happens to either;
 * unless somebody deletes the object under a leader just when a process begins that never saw it: then both may lead
 * until the next look of the first.
 */
export class LeaseElector implements Leadership {
  readonly #parts: LeaseElectorParts;
  readonly #timings: LeaseTimings;
  readonly #path: string;
  readonly #listeners: ((isLeader: boolean) => void)[] = [];
  readonly #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** What the Lease object said last, and since when, on our clock. */
  #seen: { readonly record: LeaseRecord; readonly sinceMs: number } | undefined;
  /** What was written last, or tried to. */
  #claimed: LeaseRecord | undefined;
  #leadsUntilMs = -Infinity;
  #isTold = false;
  #cancelStepDown: (() => void) | undefined;
  #retriesAtOnce = 0;
  #troubleTold: string | undefined;

  constructor(parts: LeaseElectorParts) {
    this.#parts = parts;
    this.#timings = parts.timings ?? TIMINGS;
    const folder = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(parts.namespace)}/leases`;
    this.#path = `${folder}/${encodeURIComponent(parts.name)}`;
  }

  /** True by the clock, not by a timer: a process that was stopped for a while wakes up knowing. */
  get isLeader(): boolean {
    return this.#parts.now() < this.#leadsUntilMs;
  }

  /** `listener` is called at each change; it does not throw. */
  onChange(listener: (isLeader: boolean) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes part until the signal aborts, which leaves the Lease object as it is, or until `release`. */
  start(signal: AbortSignal): void {
    if (signal.aborted) this.#ending.abort();
    signal.addEventListener("abort", () => this.#end(), { once: true });
    this.#running = this.#run();
  }

  /** Leads no more, and lets another begin at once. Resolves within seconds, also when the API server is away. */
  async release(): Promise<void> {
    this.#end();
    await this.#running;
    if (this.#claimed === undefined) return;
    const { api, log, identity, wallMs } = this.#parts;
    try {
      const record = readLease(await api.request({ method: "GET", path: this.#path, timeoutMs: RELEASE_TIMEOUT_MS }));
      if (record.holder !== identity) return;
      const body = giveUpLease(record, wallMs());
      await api.request({ method: "PUT", path: this.#path, body, timeoutMs: RELEASE_TIMEOUT_MS });
      this.#claimed = undefined;
    } catch (error) {
      log.warn(
        { err: error },
        "the Lease object could not be given up; another replica takes over when it has expired",
      );
    }
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const delayMs = await this.#attempt();
      await this.#sleep(delayMs);
    }
  }

  /** Looks, and takes or renews; answers after how many milliseconds to look again. */
  async #attempt(): Promise<number> {
    const periodMs = this.#timings.retryPeriodMs * (0.8 + 0.4 * this.#parts.random());
    try {
      const record = await this.#read();
      this.#troubleTold = undefined;
      const may = record === undefined ? this.#mayCreate() : this.#mayTake(record);
      if (may === true) await this.#claim(record);
      else return Math.min(periodMs, may);
      this.#retriesAtOnce = 0;
      return periodMs;
    } catch (error) {
      return this.#failed(error, periodMs);
    }
  }

  /** undefined = there is none. */
  async #read(): Promise<LeaseRecord | undefined> {
    try {
      const record = readLease(await this.#ask({ method: "GET", path: this.#path }));
      if (this.#seen === undefined || !isSameLease(this.#seen.record, record)) {
        this.#seen = { record, sinceMs: this.#parts.now() };
      }
      return record;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** true, or in how many milliseconds it may be. */
  #mayTake(record: LeaseRecord): true | number {
    const isOurName = record.holder === this.#parts.identity;
    // A holder by somebody else's hand is none: the one who was may not know yet.
    if (isOurName && (this.isLeader || (this.#claimed !== undefined && isSameLease(this.#claimed, record))))
      return true;
    if (this.isLeader) this.#stepDown("somebody else is written in the Lease object");
    return this.#mayTakeOver();
  }

  /** Whoever deleted it told nobody: its last holder may lead as long as if it were there. */
  #mayCreate(): true | number {
    return this.isLeader ? true : this.#mayTakeOver();
  }

  #mayTakeOver(): true | number {
    if (this.#seen === undefined) return true;
    const { record, sinceMs } = this.#seen;
    const restMs = sinceMs + heldMs(record, this.#timings.leaseDurationMs) - this.#parts.now();
    return restMs <= 0 ? true : restMs;
  }

  async #claim(record: LeaseRecord | undefined): Promise<void> {
    const { identity, name, namespace, now, wallMs } = this.#parts;
    const { leaseDurationMs: durationMs, renewDeadlineMs } = this.#timings;
    const fresh = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { namespace, name } };
    const body = holdLease(record ?? readLease(fresh), { identity, durationMs, wallMs: wallMs() });
    const sentMs = now();
    this.#claimed = readLease(body);
    const answer = readLease(
      record === undefined
        ? await this.#ask({ method: "POST", path: this.#path.slice(0, this.#path.lastIndexOf("/")), body })
        : await this.#ask({ method: "PUT", path: this.#path, body }),
    );
    this.#seen = { record: answer, sinceMs: now() };
    this.#lead(sentMs + renewDeadlineMs);
  }

  #ask(request: { method: "GET" | "POST" | "PUT"; path: string; body?: object }): Promise<unknown> {
    const timeoutMs = this.#timings.renewDeadlineMs / TRIES_PER_DEADLINE;
    return this.#parts.api.request({ ...request, timeoutMs, signal: this.#ending.signal });
  }

  #failed(error: unknown, periodMs: number): number {
    if (this.#ending.signal.aborted) return 0;
    const status = error instanceof ApiError ? error.status : undefined;
    // Somebody was faster: worth a look at once, but not for ever.
    const isOutdated = status === 409 || status === 404;
    if (isOutdated && this.#retriesAtOnce < MOST_RETRIES_AT_ONCE) {
      this.#retriesAtOnce += 1;
      return 0;
    }
    this.#retriesAtOnce = 0;
    const words = error instanceof Error ? error.message : String(error);
    if (words !== this.#troubleTold) {
      this.#parts.log.warn({ err: error, lease: this.#path }, "the Lease object cannot be read or written");
    }
    this.#troubleTold = words;
    const askedMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    return Math.max(periodMs, Math.min(askedMs, this.#timings.renewDeadlineMs / TRIES_PER_DEADLINE));
  }

  #lead(untilMs: number): void {
    const { now, after, log } = this.#parts;
    // It may have ended unnoticed, while the process stood still.
    if (this.#isTold && !this.isLeader) this.#stepDown("it was not renewed in time");
    if (this.#ending.signal.aborted) return;
    this.#leadsUntilMs = untilMs;
    this.#cancelStepDown?.();
    this.#cancelStepDown = after(Math.max(0, untilMs - now()), () => this.#stepDown("it could not be renewed in time"));
    if (this.#isTold || !this.isLeader) return;
    log.info({ identity: this.#parts.identity }, "this replica leads: it writes statuses");
    this.#tell(true);
  }

  #stepDown(why: string): void {
    this.#cancelStepDown?.();
    this.#leadsUntilMs = -Infinity;
    if (!this.#isTold) return;
    this.#parts.log.info({ identity: this.#parts.identity, why }, "this replica leads no more");
    this.#tell(false);
  }

  #tell(isLeader: boolean): void {
    this.#isTold = isLeader;
    for (const listener of this.#listeners) listener(isLeader);
  }

  #end(): void {
    this.#stepDown("it ends");
    this.#ending.abort();
  }

  #sleep(delayMs: number): Promise<void> {
    return pause(delayMs, this.#parts.after, this.#ending.signal);
  }
}
