import type { HeaderEdits } from "../routing/index.ts";
import type { HeaderPair } from "./types.ts";

/** What is set or removed, in lower case; edits are part of a rule and live as long. */
const REPLACED = new WeakMap<HeaderEdits, ReadonlySet<string>>();

/**
 * A rule's edits: what is set or removed goes, what is set or added comes at the end. Which names a rule may not touch
 * (Host, hop-by-hop, forwarded ...) was settled when the table was built.
 */
export function editHeaders(headers: HeaderPair[], edits: HeaderEdits | undefined): HeaderPair[] {
  if (edits === undefined) return headers;
  const replaced = replacedNames(edits);
  const edited = replaced.size === 0 ? headers : headers.filter(([name]) => !replaced.has(name.toLowerCase()));
  for (const { name, value } of edits.set) edited.push([name, value]);
  for (const { name, value } of edits.add) edited.push([name, value]);
  return edited;
}

function replacedNames(edits: HeaderEdits): ReadonlySet<string> {
  let names = REPLACED.get(edits);
  if (names === undefined) {
    names = new Set([...edits.remove, ...edits.set.map(({ name }) => name)].map((name) => name.toLowerCase()));
    REPLACED.set(edits, names);
  }
  return names;
}
