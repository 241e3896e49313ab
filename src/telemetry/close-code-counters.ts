import type { EndCause, TunnelEnd } from "../relay/index.ts";
import { END_CAUSES } from "./end-causes.ts";
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

const CAUSES = Object.keys(END_CAUSES) as EndCause[];
/** Where the counts of each cause begin. */
const OFFSETS = Object.fromEntries(CAUSES.map((cause, index) => [cause, index * LABELS.length])) as Readonly<
  Record<EndCause, number>
>;

type EndedWith = Pick<TunnelEnd, "cause" | "codeToClient" | "codeToBackend">;

/**
 * Counts the last Close code that was sent to each side of a tunnel, by what ended it. Plain numbers: an event costs a
 * look-up and two additions.
 */
export class CloseCodeCounters {
  readonly #toClient = new Float64Array(CAUSES.length * LABELS.length);
  readonly #toBackend = new Float64Array(CAUSES.length * LABELS.length);

  ended({ cause, codeToClient, codeToBackend }: EndedWith): void {
    const offset = OFFSETS[cause];
    addOne(this.#toClient, offset + slotOf(codeToClient));
    addOne(this.#toBackend, offset + slotOf(codeToBackend));
  }

  /** By side, code and cause, those that occurred. */
  collect(): readonly Sample[] {
    return [...samplesOf("client", this.#toClient), ...samplesOf("backend", this.#toBackend)];
  }
}

function addOne(counts: Float64Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}

function slotOf(code: number | undefined): number {
  if (code === undefined) return NONE;
  if (code >= FIRST_CODE && code <= LAST_CODE) return code - FIRST_CODE;
  if (code >= 3000 && code <= 3999) return LIBRARIES;
  return code >= 4000 && code <= 4999 ? PRIVATE : OTHER;
}

function samplesOf(side: string, counts: Float64Array): readonly Sample[] {
  return CAUSES.flatMap((cause) =>
    LABELS.map((code, slot): Sample => [[side, code, cause], counts[OFFSETS[cause] + slot] ?? 0]),
  ).filter(([, count]) => count > 0);
}
