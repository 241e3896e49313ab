import { Ledger } from "./ledger.ts";
import type { SoakRule } from "./rules.ts";

export type Side = "client" | "backend";

/** What a side does, or lets be, that ends a tunnel. */
export type Deed =
  | "close"
  | "fin"
  | "reset"
  | "destroy"
  | "killed"
  | "mute"
  | "silent"
  | "violation"
  | "too_big"
  | "too_many_fragments"
  | "too_fast";

export interface Fault {
  readonly atMs: number;
  readonly side: Side;
  readonly deed: Deed;
  /** The answer to a Close or FIN of the other side, and not what ended the tunnel. */
  readonly isAnswer: boolean;
  /** Of a deed that may leave half a frame behind. */
  readonly isMidFrame: boolean;
}

/** How a side learned that the tunnel ends. */
export interface Notice {
  closeCode: number | undefined;
  /** The Close was not the other side's own. */
  isCloseOurs: boolean;
  closeAtMs: number | undefined;
  endAtMs: number | undefined;
  /** The error of its socket. */
  error: string | undefined;
  closedAtMs: number | undefined;
  /** The stream ended inside a frame. */
  isTruncated: boolean;
}

const HISTORY_LINES = 60;

/** All that is known of one tunnel: what its sides did, what they got, and what was wrong with it. */
export class TunnelRecord {
  readonly id: number;
  readonly rule: SoakRule;
  /** The source address of its client; no other tunnel has it. */
  readonly clientAddress: string;
  readonly faults: Fault[] = [];
  readonly problems: string[] = [];
  readonly sent: Readonly<Record<Side, Ledger>> = { client: new Ledger(), backend: new Ledger() };
  readonly notices: Readonly<Record<Side, Notice>> = { client: notice(), backend: notice() };
  /** When a side last sent something that was not an answer to a Ping of the proxy's. */
  lastSentMs = performance.now();
  ownPings = 0;
  /** What a side did against RFC 6455, by its name in the log. */
  violation: { readonly side: Side; readonly fault: string; readonly losesFraming: boolean } | undefined = undefined;
  hasOpened = false;
  /** Its client went before the 101, so that there may have been no tunnel. */
  isAborted = false;
  /** Which bytes of it go through a process that is killed now and then. */
  readonly through: Side | undefined;
  #history: string[] = [];
  readonly #beganMs = performance.now();

  constructor(id: number, rule: SoakRule, through: Side | undefined) {
    this.id = id;
    this.rule = rule;
    this.through = through;
    this.clientAddress = `127.${1 + (id >> 16)}.${(id >> 8) & 255}.${id & 255}`;
  }

  note(event: string): void {
    this.#history.push(`${((performance.now() - this.#beganMs) / 1000).toFixed(3)}s ${event}`);
    if (this.#history.length > 2 * HISTORY_LINES) this.#history = this.#history.slice(-HISTORY_LINES);
  }

  /** Written down before it is done, so that no consequence is older than its cause. */
  fault(side: Side, deed: Deed, how: { readonly isAnswer?: boolean; readonly isMidFrame?: boolean } = {}): void {
    const { isAnswer = false, isMidFrame = false } = how;
    this.faults.push({ atMs: performance.now(), side, deed, isAnswer, isMidFrame });
    this.note(`FAULT: ${side} ${deed}${isAnswer ? " (answer)" : ""}${isMidFrame ? " inside a frame" : ""}`);
  }

  problem(what: string): void {
    this.note(`PROBLEM: ${what}`);
    this.problems.push(what);
  }

  did(side: Side, ...deeds: readonly Deed[]): boolean {
    return this.faults.some((fault) => fault.side === side && deeds.includes(fault.deed));
  }

  text(): string {
    const faults = this.faults.map(
      ({ atMs, side, deed, isAnswer }) =>
        `${((atMs - this.#beganMs) / 1000).toFixed(3)}s ${side} ${deed}${isAnswer ? " (answer)" : ""}`,
    );
    return [`faults: ${faults.join(", ")}`, ...this.#history.slice(-HISTORY_LINES)].join("\n    ");
  }
}

function notice(): Notice {
  return {
    closeCode: undefined,
    isCloseOurs: false,
    closeAtMs: undefined,
    endAtMs: undefined,
    error: undefined,
    closedAtMs: undefined,
    isTruncated: false,
  };
}
