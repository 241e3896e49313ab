import type { LogLine } from "../integration/fixtures/holdfast.ts";
import { CODES_BY_CAUSE, explanationProblem } from "./causes.ts";
import type { Fault, Side, TunnelRecord } from "./tunnel-record.ts";

/** Whoever is not at fault learns within this that the tunnel ends. */
const NOTICE_MS = 5_000;
/** Beyond it, for waits that the proxy may add: 2 s for a message boundary and 5 s for a frame boundary. */
const BOUNDARY_MS = 7_000;

/** What does not fit between a tunnel's end as the proxy logged it and what its sides did and got. */
export function judge(record: TunnelRecord, line: LogLine): readonly string[] {
  const cause = String(line["cause"]);
  return [
    explanationProblem(record, cause, Number(line["durationMs"])),
    byProblem(cause, String(line["by"])),
    ...codeProblems(record, "client", { cause, logged: line["codeToClient"] as number | undefined }),
    ...codeProblems(record, "backend", { cause, logged: line["codeToBackend"] as number | undefined }),
    midFrameProblem(record, line["midFrame"] === true),
    deliveryProblem(record, "client", { cause, line }),
    deliveryProblem(record, "backend", { cause, line }),
    ...violationProblems(record, line),
    resetProblem(record, "client"),
    resetProblem(record, "backend"),
    lateProblem(record, cause),
  ].filter((problem) => problem !== undefined);
}

function byProblem(cause: string, by: string): string | undefined {
  const expected = cause.startsWith("client_") ? "client" : cause.startsWith("backend_") ? "backend" : "holdfast";
  return by === expected ? undefined : `cause ${cause} by ${by}`;
}

/** A side that had left could not be told; neither could one in the middle of a frame, or one without framing. */
function couldBeTold(record: TunnelRecord, side: Side): boolean {
  const notice = record.notices[side];
  const hasLeft =
    record.did(side, "reset", "destroy", "killed") || record.through === side || notice.error !== undefined;
  const other = side === "client" ? "backend" : "client";
  return !hasLeft && !notice.isTruncated && record.violation?.losesFraming !== true && !record.did(other, "killed");
}

function codeProblems(
  record: TunnelRecord,
  side: Side,
  { cause, logged }: { readonly cause: string; readonly logged: number | undefined },
): readonly string[] {
  const { closeCode, isCloseOurs } = record.notices[side];
  const problems: string[] = [];
  const ours = CODES_BY_CAUSE[cause]?.[side];
  if (closeCode !== undefined && closeCode !== logged)
    problems.push(`${side} got ${closeCode}, the log says ${logged}`);
  // A client that has ended its half still hears what its backend answers to our Close.
  const other = record.notices[side === "client" ? "backend" : "client"];
  const isAnswer = ours === undefined && other.isCloseOurs && other.closeCode === closeCode;
  if (isCloseOurs && closeCode !== ours && !isAnswer)
    problems.push(`${side} got ${closeCode} of the proxy's for ${cause}`);
  if (!couldBeTold(record, side)) return problems;
  if (closeCode !== logged) problems.push(`the log says that ${side} got ${logged}, it got ${closeCode}`);
  const hasLeft = record.faults.some((fault) => fault.side === side && fault.deed === "fin" && !fault.isAnswer);
  if (ours !== undefined && closeCode === undefined && !(hasLeft && side === "client")) {
    problems.push(`${side} was never told ${ours} for ${cause}`);
  }
  return problems;
}

function midFrameProblem(record: TunnelRecord, isLogged: boolean): string | undefined {
  const { client, backend } = record.notices;
  const isSeen = client.isTruncated || backend.isTruncated;
  if (isSeen && !isLogged && record.violation?.losesFraming !== true) {
    // The process between may have been killed in the middle of what it carried.
    return record.through === undefined
      ? "a stream ended inside a frame, and the log does not say midFrame"
      : undefined;
  }
  const mayBe = record.faults.some((fault) => LEAVES_HALF.has(fault.deed)) || record.rule.lifetime !== undefined;
  return isLogged && !mayBe ? "the log says midFrame, and nobody left in the middle of anything" : undefined;
}

const LEAVES_HALF: ReadonlySet<string> = new Set(["fin", "reset", "destroy", "killed", "mute"]);

/** All that was sent before an orderly end has arrived, and was counted. */
function deliveryProblem(
  record: TunnelRecord,
  from: Side,
  { cause, line }: { readonly cause: string; readonly line: LogLine },
): string | undefined {
  const to = from === "client" ? "backend" : "client";
  const first = record.faults[0];
  const isUp = from === "client";
  if (record.notices[to].error !== undefined || record.through !== undefined) return undefined;
  if (record.did(to, "reset", "destroy", "killed")) return undefined;
  const isOrderly =
    cause === `${from}_close` ||
    (ENDS_AFTER_DELIVERY.has(cause) && first?.side === from) ||
    (cause === `${from}_lost` && first?.side === from && first.deed === "fin");
  if (!isOrderly) return undefined;
  const ledger = record.sent[from];
  const isHalfFrameDue = first?.isMidFrame === true || record.notices[to].isTruncated;
  if (ledger.waiting > (isHalfFrameDue ? 1 : 0)) {
    return `${to} never got ${ledger.waiting} frames (${ledger.waitingBytes} bytes) that ${from} had sent before its end`;
  }
  const counted = Number(line[isUp ? "bytesUp" : "bytesDown"]);
  if (cause === `${from}_close` && !ledger.isSealed && counted !== ledger.sentBytes) {
    return `${from} sent ${ledger.sentBytes} bytes, the log counts ${counted}`;
  }
  return undefined;
}

/** Frames before the one at fault pass before the Close. */
const ENDS_AFTER_DELIVERY: ReadonlySet<string> = new Set(["protocol_error", "message_too_big", "too_many_fragments"]);

function* violationProblems(record: TunnelRecord, line: LogLine): Generator<string> {
  const { violation } = record;
  for (const side of ["client", "backend"] as const) {
    const logged = line[`${side}Fault`] as string | undefined;
    const expected = violation?.side === side ? violation.fault : undefined;
    if (logged !== undefined && logged !== expected) yield `the log says ${side} did ${logged}, it did ${expected}`;
    if (logged === undefined && expected !== undefined && record.faults[0]?.side === side) {
      yield `${side} did ${expected}, and the log does not say so`;
    }
  }
  const isOpaque = line["opaque"] === true;
  if (isOpaque && violation?.losesFraming !== true) yield "the log says opaque, and nobody lost the framing";
}

/** Who behaves is never answered by RST. */
function resetProblem(record: TunnelRecord, side: Side): string | undefined {
  const { error } = record.notices[side];
  if (error === undefined || record.through !== undefined) return undefined;
  const isRude = record.did(side, "reset", "destroy", "mute") || record.violation?.losesFraming === true;
  return isRude ? undefined : `${side} behaved and met ${error}`;
}

function lateProblem(record: TunnelRecord, cause: string): string | undefined {
  const first = record.faults.find((fault) => !fault.isAnswer);
  if (first === undefined || cause === "lifetime") return undefined;
  for (const side of ["client", "backend"] as const) {
    if (side === first.side && first.deed !== "silent") continue;
    const { closeAtMs, endAtMs, closedAtMs } = record.notices[side];
    const noticedMs = Math.min(closeAtMs ?? Infinity, endAtMs ?? Infinity, closedAtMs ?? Infinity);
    const lateMs = noticedMs - first.atMs - allowedMs(record, first);
    if (lateMs > 0) return `${side} learned of the end ${Math.round(lateMs)} ms too late`;
  }
  return undefined;
}

function allowedMs(record: TunnelRecord, first: Fault): number {
  const { idleMs = 0, keepalive, clientBytesPerSecond } = record.rule;
  const quietMs = first.deed === "silent" ? idleMs + BOUNDARY_MS : 0;
  const muteMs = first.deed === "mute" ? (keepalive?.boundMs ?? 0) : 0;
  // What is held to a rate has to come through before the word behind it.
  const pacedMs =
    clientBytesPerSecond === undefined ? 0 : (record.sent.client.sentBytes / clientBytesPerSecond) * 1_000;
  return NOTICE_MS + quietMs + muteMs + pacedMs;
}
