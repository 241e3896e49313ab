import type { HealthSign, PassiveHealth } from "../routing/index.ts";
import type { BackendId } from "./types.ts";

/** Bad answers and early ends count together within so long. */
const WINDOW_MS = 10_000;
/** A trial has so long to come to an end; longer than a dial may take. */
const TRIAL_MS = 5_000;
/** A tunnel that its backend ends without a Close sooner than that after the 101 speaks against the backend. */
export const EARLY_MS = 1_000;
/** One that has been well for so long has no past. */
const FORGIVEN_MS = 60_000;

/** What stands against a backend. */
export interface Ejection {
  readonly sign: HealthSign;
  /** It is passed over until then, on the registry's clock. */
  readonly untilMs: number;
}

interface HealthRecord {
  /** Since when these are counted. */
  windowMs: number;
  failures: number;
  successes: number;
  /** In a row; 0 = none that is remembered. */
  ejections: number;
  sign: HealthSign;
  /** It is passed over until then. */
  untilMs: number;
  /** proving: a trial has had its 101, and shall last. */
  phase: "well" | "ejected" | "onTrial" | "proving";
}

/** What one request or tunnel says against a backend, and under which rule's policy. */
export interface Evidence {
  readonly sign: HealthSign;
  readonly policy: PassiveHealth;
  /** Whether one more of the upstream's backends may be ejected for anything but a failed dial. */
  readonly mayEject: () => boolean;
}

/**
 * Learns from requests and tunnels whom to pass over. Until the source says that a backend is not ready, which takes the better
 * part of a minute when a machine dies, it looks as if it were free, and the emptiest would be asked first by everyone. When an
 * ejection is over one request may try, and while it does the others go on passing the backend over.
 */
export class Ejections {
  readonly #now: () => number;
  readonly #records = new Map<BackendId, HealthRecord>();

  /** `now`: a monotonic clock in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Nothing stands against anybody: no need to ask. */
  get isEmpty(): boolean {
    return this.#records.size === 0;
  }

  /** All that are passed over at that moment. */
  all(nowMs: number): readonly (Ejection & { readonly id: BackendId })[] {
    const found: (Ejection & { readonly id: BackendId })[] = [];
    for (const [id, { sign, untilMs }] of this.#records) if (untilMs > nowMs) found.push({ id, sign, untilMs });
    return found;
  }

  /** Why it is passed over now; undefined = it is not. */
  of(id: BackendId, nowMs: number = this.#now()): Ejection | undefined {
    const record = this.#records.get(id);
    return record !== undefined && record.untilMs > nowMs ? record : undefined;
  }

  /** A request goes there. If it is a trial, no other one does until it is known how that ends. */
  chosen(id: BackendId): void {
    const record = this.#records.get(id);
    const nowMs = this.#now();
    // A trial of which nothing was heard in its time is followed by another.
    const isDue = record?.phase === "ejected" || (record?.phase === "onTrial" && record.untilMs <= nowMs);
    if (record === undefined || !isDue) return;
    record.phase = "onTrial";
    record.untilMs = Math.max(record.untilMs, nowMs + TRIAL_MS);
  }

  /** It answered: with a 101, or with anything else that is an answer. */
  answered(id: BackendId): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    const nowMs = this.#now();
    record.successes++;
    endProof(record, nowMs);
    if (record.phase === "well") {
      if (isForgotten(record, nowMs)) this.#records.delete(id);
      return;
    }
    if (record.sign === "DialFailure") {
      this.#records.delete(id);
      return;
    }
    // A request that was under way when it was ejected proves nothing.
    if (record.phase !== "onTrial") return;
    record.phase = record.sign === "EarlyEnd" ? "proving" : "well";
    record.untilMs = record.sign === "EarlyEnd" ? nowMs + EARLY_MS : nowMs;
    restart(record, nowMs);
  }

  /** Something speaks against it. */
  failed(id: BackendId, { sign, policy, mayEject }: Evidence): void {
    if (!policy.signs.includes(sign)) return;
    const nowMs = this.#now();
    const record = this.#records.get(id) ?? newRecord(sign, nowMs);
    this.#records.set(id, record);
    endProof(record, nowMs);
    // Of many that were under way at once the first says it for all.
    if (record.phase === "ejected") return;
    if (record.phase === "well") {
      if (nowMs - record.windowMs > WINDOW_MS) restart(record, nowMs);
      if (nowMs - record.untilMs > FORGIVEN_MS) record.ejections = 0;
      record.failures++;
      if (sign === "EarlyEnd") record.successes = Math.max(0, record.successes - 1);
      if (sign !== "DialFailure" && !(isTooMuch(record, policy) && mayEject())) return;
    }
    record.sign = sign;
    record.ejections = Math.min(32, record.ejections + 1);
    record.phase = "ejected";
    record.untilMs = nowMs + Math.min(policy.longestEjectMs, policy.ejectMs * 2 ** (record.ejections - 1));
    restart(record, nowMs);
  }

  /** It is gone for good. */
  forget(id: BackendId): void {
    if (this.#records.size > 0) this.#records.delete(id);
  }
}

function newRecord(sign: HealthSign, nowMs: number): HealthRecord {
  return { windowMs: nowMs, failures: 0, successes: 0, ejections: 0, sign, untilMs: nowMs, phase: "well" };
}

function restart(record: HealthRecord, nowMs: number): void {
  record.windowMs = nowMs;
  record.failures = 0;
  record.successes = 0;
}

/** A tunnel that has lasted shows it by nothing happening. */
function endProof(record: HealthRecord, nowMs: number): void {
  if (record.phase === "proving" && record.untilMs <= nowMs) record.phase = "well";
}

/** A few bad ends among many good ones are clients' doing, or chance. */
function isTooMuch({ failures, successes }: HealthRecord, policy: PassiveHealth): boolean {
  return failures >= policy.failures && failures >= successes;
}

function isForgotten(record: HealthRecord, nowMs: number): boolean {
  return nowMs - record.windowMs > WINDOW_MS && nowMs - record.untilMs > FORGIVEN_MS;
}
