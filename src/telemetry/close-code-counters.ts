import type { TunnelEnd } from "../relay/index.ts";
import type { Sample } from "./exposition.ts";

/** Those of RFC 6455, 7.4.1, are told apart. */
const FIRST_CODE = 1000;
const LAST_CODE = 1015;
const CODES = Array.from({ length: LAST_CODE - FIRST_CODE + 1 }, (_, i) => String(FIRST_CODE + i));
/** Peers choose their codes, so all others share a label; the log has them all. */
const LABELS = [...CODES, "none", "3xxx", "4xxx", "other"];
const NONE = LABELS.indexOf("none");
const LIBRARIES = LABELS.indexOf("3xxx");
const PRIVATE = LABELS.indexOf("4xxx");
const OTHER = LABELS.indexOf("other");

/** Counts the last Close code that was sent to each side of a tunnel. Plain numbers: an event costs two additions. */
export class CloseCodeCounters {
  readonly #toClient = new Float64Array(LABELS.length);
  readonly #toBackend = new Float64Array(LABELS.length);

  ended({ codeToClient, codeToBackend }: Pick<TunnelEnd, "codeToClient" | "codeToBackend">): void {
    addOne(this.#toClient, codeToClient);
    addOne(this.#toBackend, codeToBackend);
  }

  /** By side and code, those that occurred. */
  collect(): readonly Sample[] {
    return [...samplesOf("client", this.#toClient), ...samplesOf("backend", this.#toBackend)];
  }
}

function addOne(counts: Float64Array, code: number | undefined): void {
  const slot = slotOf(code);
  counts[slot] = (counts[slot] ?? 0) + 1;
}

function slotOf(code: number | undefined): number {
  if (code === undefined) return NONE;
  if (code >= FIRST_CODE && code <= LAST_CODE) return code - FIRST_CODE;
  if (code >= 3000 && code <= 3999) return LIBRARIES;
  return code >= 4000 && code <= 4999 ? PRIVATE : OTHER;
}

function samplesOf(side: string, counts: Float64Array): readonly Sample[] {
  return LABELS.map((code, slot): Sample => [[side, code], counts[slot] ?? 0]).filter(([, count]) => count > 0);
}
