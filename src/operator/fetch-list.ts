import { type AdminAnswer, askAdmin } from "./admin-client.ts";
import { PAGE_ANSWER } from "./answers.ts";
import type { AdminTarget, ListOrder } from "./types.ts";

/** What a page has at most. */
const PAGE_ITEMS = 1_000;

/** A list, of as many pages as were asked for. */
export interface FetchedList {
  readonly replica: string;
  readonly items: readonly unknown[];
  readonly total: number;
  /** There is more. */
  readonly next?: string;
}

/** Reads page after page until `limit` (0 = to the end). Else the answer that was none. */
export async function fetchList(at: AdminTarget, order: ListOrder): Promise<FetchedList | AdminAnswer> {
  const limit = order.limit === 0 ? Number.POSITIVE_INFINITY : order.limit;
  const items: unknown[] = [];
  let cursor: string | undefined;
  for (;;) {
    const count = Math.min(PAGE_ITEMS, limit - items.length);
    const answer = await askAdmin(at, { method: "GET", path: pathOf(order, count, cursor) });
    const page = PAGE_ANSWER.safeParse(answer.body);
    if (answer.status !== 200 || !page.success) return answer;
    const { replica, total, next } = page.data;
    items.push(...page.data.items);
    const isWhole = next === undefined || page.data.items.length === 0;
    if (isWhole) return { replica, items, total };
    if (items.length >= limit) return { replica, items, total, next };
    cursor = next;
  }
}

function pathOf({ list, query }: ListOrder, limit: number, cursor: string | undefined): string {
  const parameters = new URLSearchParams({ ...query, limit: String(limit), ...(cursor !== undefined && { cursor }) });
  return `/v1/${list}?${parameters.toString()}`;
}
