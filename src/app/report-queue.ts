import type { ControllerObserver, Log } from "../controller/index.ts";
import type { LogLevel } from "../telemetry/index.ts";
import type { CountedMetric, Freshness, Report } from "./thread-messages.ts";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** More records than this never wait; what comes beyond is dropped and counted. */
const MAX_WAITING = 1_000;

/**
 * What the control thread wants logged and counted, waiting to cross. Bounded: a source with ten thousand faults must
 * neither fill the memory nor stall the data thread.
 */
export class ReportQueue implements Log, ControllerObserver {
  readonly #waiting: Report[] = [];
  readonly #minLevel: number;
  #dropped = 0;
  #onPush: () => void = () => {};

  /** Records below `level` are not even sent. */
  constructor(options: { readonly level: LogLevel }) {
    this.#minLevel = LEVELS.indexOf(options.level);
  }

  /** `listener` is called when something begins to wait. */
  onPush(listener: () => void): void {
    this.#onPush = listener;
  }

  debug(fields: object, message: string): void {
    this.#log("debug", fields, message);
  }

  info(fields: object, message: string): void {
    this.#log("info", fields, message);
  }

  warn(fields: object, message: string): void {
    this.#log("warn", fields, message);
  }

  error(fields: object, message: string): void {
    this.#log("error", fields, message);
  }

  programmed(build: Parameters<ControllerObserver["programmed"]>[0]): void {
    this.#push({ kind: "programmed", build });
  }

  /** How many problems of the source stand now. */
  problems(count: number): void {
    this.#push({ kind: "problems", count });
  }

  /** How fresh each kind of object is. */
  freshness(kinds: readonly Freshness[]): void {
    this.#push({ kind: "freshness", kinds });
  }

  /** Whether this replica writes statuses from now on. */
  leader(isLeader: boolean): void {
    this.#push({ kind: "leader", isLeader });
  }

  /** Adds one to a counter; label values must come from a bounded set. */
  count(metric: CountedMetric, labels: Readonly<Record<string, string>>): void {
    if (this.#waiting.length < MAX_WAITING) this.#push({ kind: "count", metric, labels });
  }

  /** Takes up to `max` reports out, the oldest first. */
  take(max: number): readonly Report[] {
    const taken = this.#waiting.splice(0, max);
    if (this.#dropped > 0) {
      taken.push({ kind: "dropped", count: this.#dropped });
      this.#dropped = 0;
    }
    return taken;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#dropped === 0;
  }

  #log(level: LogLevel, fields: object, message: string): void {
    if (LEVELS.indexOf(level) < this.#minLevel) return;
    if (this.#waiting.length >= MAX_WAITING) this.#dropped++;
    else this.#push({ kind: "log", level, fields: cloneable(fields), message });
  }

  #push(report: Report): void {
    this.#waiting.push(report);
    this.#onPush();
  }
}

/** A copy that can cross: what cannot be cloned (functions, sockets) is left out. */
function cloneable(fields: object): object {
  try {
    return structuredClone(fields) as object;
  } catch {
    return JSON.parse(JSON.stringify(fields)) as object;
  }
}
