import type { WatchApi } from "./api-client.ts";
import { isRecord } from "./answers.ts";
import { ApiError } from "./types.ts";
import { versionOf } from "./watch-events.ts";

export interface ListRequest<Item> {
  readonly api: WatchApi;
  readonly path: string;
  /** Objects per page. */
  readonly pageSize: number;
  readonly signal: AbortSignal;
  /** Called with each object as its page comes, so that no page has to be kept. */
  readonly read: (object: unknown) => Item;
}

export interface WholeList<Item> {
  readonly items: readonly Item[];
  /** From where a watch goes on. */
  readonly version: string;
}

/** More pages than any list has: a server that never comes to an end must not fill the memory. */
const MOST_PAGES = 100_000;

/** Reads a list page by page, as it is at one moment (resourceVersion is left out: the newest). Rejects with an ApiError. */
export async function readList<Item>(request: ListRequest<Item>): Promise<WholeList<Item>> {
  const { api, path, pageSize, signal, read } = request;
  const items: Item[] = [];
  let query: Record<string, string> = { limit: String(pageSize) };
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const page = await api.page({ path, query, signal });
    const { objects, next } = partsOf(page);
    for (const object of objects) items.push(read(object));
    if (next === "") return { items, version: versionOf(page) };
    query = { limit: String(pageSize), continue: next };
  }
  throw new ApiError({ status: 0, reason: "TooLarge", message: `the list has more than ${MOST_PAGES} pages` });
}

function partsOf(page: unknown): { readonly objects: readonly unknown[]; readonly next: string } {
  const { items, metadata } = isRecord(page) ? page : {};
  // Go writes an empty list as null.
  const objects: unknown = items ?? [];
  if (!Array.isArray(objects) || !isRecord(metadata)) {
    throw new ApiError({ status: 0, reason: "BadAnswer", message: "the answer cannot be understood: it is no list" });
  }
  const next = metadata["continue"];
  return { objects, next: typeof next === "string" ? next : "" };
}
