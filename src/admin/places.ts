import type { AgePlace } from "./operations.ts";
import type { Order } from "./page.ts";

/** The oldest first; of the same age, by id. */
export function byAge<Item>(atMs: (item: Item) => number, id: (item: Item) => string): Order<Item, AgePlace> {
  return {
    placeOf: (item) => ({ atMs: atMs(item), id: id(item) }),
    compare: (a, b) => a.atMs - b.atMs || compareNames(a.id, b.id),
  };
}

/** By a name that no other has, in one order on every machine, whatever its language. */
export function byName<Item>(nameOf: (item: Item) => string): Order<Item, string> {
  return { placeOf: nameOf, compare: compareNames };
}

/** By code units. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A kind of place, and how it crosses in a cursor. */
export interface PlaceForm<Place> {
  toParts(place: Place): readonly (string | number)[];
  /** Undefined: those are no parts of such a place. */
  fromParts(parts: readonly unknown[]): Place | undefined;
}

export const AGE_PLACE: PlaceForm<AgePlace> = {
  toParts: ({ atMs, id }) => [atMs, id],
  fromParts: ([atMs, id, ...rest]) =>
    typeof atMs === "number" && typeof id === "string" && rest.length === 0 ? { atMs, id } : undefined,
};

export const NAME_PLACE: PlaceForm<string> = {
  toParts: (name) => [name],
  fromParts: ([name, ...rest]) => (typeof name === "string" && rest.length === 0 ? name : undefined),
};

/** A place as a word for an answer; whoever gets it passes it back and needs not know what it says. */
export function encodeCursor<Place>(form: PlaceForm<Place>, place: Place): string {
  return Buffer.from(JSON.stringify(form.toParts(place))).toString("base64url");
}

/** Undefined: no cursor of such a list. */
export function decodeCursor<Place>(form: PlaceForm<Place>, cursor: string): Place | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(parts) ? form.fromParts(parts) : undefined;
  } catch {
    return undefined;
  }
}
