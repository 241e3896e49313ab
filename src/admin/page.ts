import type { Page, Part } from "./operations.ts";

/** In which order a list is shown. */
export interface Order<Item, Place> {
  readonly placeOf: (item: Item) => Place;
  /** Below 0: `a` comes before `b`. No two items have equal places. */
  readonly compare: (a: Place, b: Place) => number;
}

interface Placed<Item, Place> {
  readonly item: Item;
  readonly place: Place;
}

/**
 * The first `limit` items behind `after`, in order. Walks them once, and keeps and sorts no more than twice a page of
 * them, since what it is taken from may be ten thousand tunnels on the thread that carries them.
 */
export function pageOf<Item, Place>(
  all: Iterable<Item>,
  { placeOf, compare }: Order<Item, Place>,
  part: Part<Place>,
): Page<Item, Place> {
  const order = (a: Placed<Item, Place>, b: Placed<Item, Place>): number => compare(a.place, b.place);
  // One more than is asked for tells whether there is more.
  const wanted = part.limit + 1;
  let first: Placed<Item, Place>[] = [];
  let bound: Place | undefined;
  let total = 0;
  for (const item of all) {
    total += 1;
    const place = placeOf(item);
    if (part.after !== undefined && compare(place, part.after) <= 0) continue;
    if (bound !== undefined && compare(place, bound) > 0) continue;
    first.push({ item, place });
    if (first.length < wanted * 2) continue;
    first = first.sort(order).slice(0, wanted);
    bound = first.at(-1)?.place;
  }
  first.sort(order);
  const items = first.slice(0, part.limit);
  return {
    items: items.map(({ item }) => item),
    total,
    next: first.length > part.limit ? items.at(-1)?.place : undefined,
  };
}

/** The same page with something made of each item. */
export function mapPage<Item, View, Place>(page: Page<Item, Place>, view: (item: Item) => View): Page<View, Place> {
  return { ...page, items: page.items.map(view) };
}
