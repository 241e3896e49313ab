import { setTimeout as sleep } from "node:timers/promises";
import { askAdmin } from "./admin-client.ts";
import { type DrainRow, ITEMS, PAGE_ANSWER } from "./answers.ts";
import { durationInWords } from "./figures.ts";
import type { AdminTarget } from "./types.ts";

/** More drains than an operator can have under way. */
const MOST_DRAINS = 1_000;

export interface ProgressOptions {
  readonly at: AdminTarget;
  /** Which of the drains under way is the one that is waited for; of several, the last that began. */
  readonly isIt: (drain: DrainRow) => boolean;
  readonly everyMs: number;
  readonly say: (line: string) => void;
}

/** Waits for `answer` and says meanwhile how the drain goes on, whenever that has changed. */
export async function withProgress<Answer>(answer: Promise<Answer>, options: ProgressOptions): Promise<Answer> {
  const answered = new AbortController();
  const telling = tell(options, answered.signal);
  try {
    return await answer;
  } finally {
    answered.abort();
    await telling;
  }
}

async function tell({ at, isIt, everyMs, say }: ProgressOptions, signal: AbortSignal): Promise<void> {
  let before = "";
  while (!signal.aborted) {
    const aborted = await sleep(everyMs, false, { signal }).catch(() => true);
    if (aborted) return;
    const drain = (await drainsUnderWay(at)).findLast(isIt);
    if (drain === undefined || signal.aborted) continue;
    const counts = `${drain.waiting} to be told, ${drain.closing} closing, ${drain.gone} gone`;
    if (counts === before) continue;
    before = counts;
    const time = drain.endsInMs === undefined ? "" : `; ${durationInWords(Math.max(0, drain.endsInMs))} left`;
    say(`${drain.id}: ${counts}${time}`);
  }
}

/** The drains under way; none where they cannot be had. */
async function drainsUnderWay(at: AdminTarget): Promise<readonly DrainRow[]> {
  try {
    const { body } = await askAdmin(at, { method: "GET", path: `/v1/drains?limit=${MOST_DRAINS}` });
    const items = ITEMS.drains.safeParse(PAGE_ANSWER.safeParse(body).data?.items);
    return items.data ?? [];
  } catch {
    // Whoever waits for the drain's own answer hears of it there.
    return [];
  }
}
