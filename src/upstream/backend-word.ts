import type { BackendFacts } from "./types.ts";

/**
 * What there is to say of a backend, in one word: whether it takes new tunnels, and if not, why. Before anything of ours comes what the
 * source says. full, ejected and failing ones are passed over while there are others (ejected: by what was seen of its tunnels;
 * failing: by probes); cordoned ones are out by an order.
 */
export type BackendWord =
  | "accepting"
  | "full"
  | "ejected"
  | "failing"
  | "cordoned"
  | "unready"
  | "terminating"
  | "vanished"
  | "unlisted";

export function wordFor({
  standing,
  isCordoned,
  out,
  isFull,
}: Pick<BackendFacts, "standing" | "isCordoned" | "out" | "isFull">): BackendWord {
  if (standing !== "serving") return standing;
  if (isCordoned) return "cordoned";
  if (out !== undefined) return out.why === "Probe" ? "failing" : "ejected";
  return isFull ? "full" : "accepting";
}
