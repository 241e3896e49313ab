import { canonicalPrefix } from "./path.ts";
import type { RequestView } from "./request-view.ts";
import type { CompiledEntry } from "./types.ts";

/** One segment of the prefixes of a host; `entries` are those whose prefix ends here, in order of precedence. */
interface PrefixNode {
  readonly parent: PrefixNode | undefined;
  readonly entries: CompiledEntry[];
  children: Map<string, PrefixNode> | undefined;
}

/** The entries of one host pattern, found by path without looking at the others. */
export interface HostIndex {
  readonly exact: ReadonlyMap<string, readonly CompiledEntry[]>;
  readonly prefixes: PrefixNode;
  /** No exact path is longer: a longer request path need not be hashed. */
  readonly longestExact: number;
  /** No segment of a prefix is longer. */
  readonly longestSegment: number;
}

/** An index that still grows: a long list comes in pieces, and each is indexed as it comes. */
export class GrowingHostIndex implements HostIndex {
  readonly exact = new Map<string, CompiledEntry[]>();
  readonly prefixes: PrefixNode = { parent: undefined, entries: [], children: undefined };
  longestExact = 0;
  longestSegment = 0;

  /** Takes the next entries in order of precedence. Costs a few microseconds an entry. */
  add(entries: readonly CompiledEntry[]): void {
    for (const entry of entries) {
      const { type, value } = entry.match.path;
      if (type === "Exact") this.#addExact(value, entry);
      else this.#addPrefix(segmentsOf(value), entry);
    }
  }

  #addExact(path: string, entry: CompiledEntry): void {
    this.longestExact = Math.max(this.longestExact, path.length);
    const known = this.exact.get(path);
    if (known === undefined) this.exact.set(path, [entry]);
    else known.push(entry);
  }

  #addPrefix(segments: readonly string[], entry: CompiledEntry): void {
    for (const segment of segments) this.longestSegment = Math.max(this.longestSegment, segment.length);
    nodeFor(this.prefixes, segments).entries.push(entry);
  }
}

/** The entry that serves the request: exact path first, then the longest prefix; on one path, the first that holds. */
export function matchInHost(index: HostIndex, request: RequestView): CompiledEntry | undefined {
  const { path } = request;
  if (path.length <= index.longestExact) {
    const entry = firstThatHolds(index.exact.get(path), request);
    if (entry !== undefined) return entry;
  }
  let node: PrefixNode | undefined = deepestPrefix(index, path);
  while (node !== undefined) {
    const entry = firstThatHolds(node.entries, request);
    if (entry !== undefined) return entry;
    node = node.parent;
  }
  return undefined;
}

/** All entries of a host, in no order. */
export function* entriesOf(index: HostIndex): Iterable<CompiledEntry> {
  for (const entries of index.exact.values()) yield* entries;
  const nodes = [index.prefixes];
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    yield* node.entries;
    for (const child of node.children?.values() ?? []) nodes.push(child);
  }
}

function segmentsOf(prefix: string): readonly string[] {
  const canonical = canonicalPrefix(prefix);
  return canonical === "/" ? [] : canonical.slice(1).split("/");
}

function nodeFor(root: PrefixNode, segments: readonly string[]): PrefixNode {
  let node = root;
  for (const segment of segments) {
    node.children ??= new Map();
    let child = node.children.get(segment);
    if (child === undefined) {
      child = { parent: node, entries: [], children: undefined };
      node.children.set(segment, child);
    }
    node = child;
  }
  return node;
}

/** Walks only as far as some prefix goes, so that a long path costs no more than the longest prefix it begins with. */
function deepestPrefix(index: HostIndex, path: string): PrefixNode {
  let node = index.prefixes;
  for (let start = 1; start < path.length && node.children !== undefined; ) {
    const slash = path.indexOf("/", start);
    const end = slash === -1 ? path.length : slash;
    if (end - start > index.longestSegment) break;
    const child = node.children.get(path.slice(start, end));
    if (child === undefined) break;
    node = child;
    start = end + 1;
  }
  return node;
}

function firstThatHolds(
  entries: readonly CompiledEntry[] | undefined,
  request: RequestView,
): CompiledEntry | undefined {
  if (entries === undefined) return undefined;
  for (const entry of entries) if (request.satisfies(entry.match)) return entry;
  return undefined;
}
