import type { HeaderEdits } from "../routing/index.ts";
import type { HeaderPair } from "./types.ts";

/**
 * A rule's edits: what is set or removed goes, what is set or added comes at the end. Which names a rule may not touch
 * (Host, hop-by-hop, forwarded ...) was settled when the table was built.
 */
export function editHeaders(headers: HeaderPair[], edits: HeaderEdits | undefined): HeaderPair[] {
  if (edits === undefined) return headers;
  const replaced = new Set<string>();
  for (const name of edits.remove) replaced.add(name.toLowerCase());
  for (const { name } of edits.set) replaced.add(name.toLowerCase());
  const edited = replaced.size === 0 ? headers : headers.filter(([name]) => !replaced.has(name.toLowerCase()));
  for (const { name, value } of edits.set) edited.push([name, value]);
  for (const { name, value } of edits.add) edited.push([name, value]);
  return edited;
}
