import type { CompiledPath, Rewrite } from "../routing/index.ts";

/**
 * The path as a backend gets it. As in Gateway API (HTTPPathModifier): ReplaceFullPath gives its value;
 * ReplacePrefixMatch puts its value in place of the matched segments, with one slash between, so `/wsapp/x` under the
 * prefix `/wsapp` becomes `/x` with `/`, and `/wsapp` becomes `/`. What stands behind the prefix keeps its bytes.
 */
export function rewritePath(path: string, matched: CompiledPath, rewrite: Rewrite | undefined): string {
  const replacement = rewrite?.path;
  if (replacement === undefined) return path;
  if (replacement.type === "ReplaceFullPath") return replacement.value;
  if (matched.type !== "PathPrefix") return path;
  // The prefix "/" has no segment of its own: all of the path stands behind it.
  const behind = matched.value === "/" ? path : path.slice(matched.value.length);
  if (behind === "") return replacement.value === "" ? "/" : replacement.value;
  const front = replacement.value.endsWith("/") ? replacement.value.slice(0, -1) : replacement.value;
  return front + behind;
}
