import type { BackendFacts, BackendWord } from "./types.ts";

/** What there is to say of a backend at this moment. */
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
