import { type Issue, parseWebSocketRoute, type RouteRule } from "../api/index.ts";
import { type CompiledEntry, type CompiledRule, type UpstreamKey, upstreamKey } from "../routing/index.ts";
import { compileMatch, compileRule } from "./compile.ts";
import { inOrder, type RankedEntry } from "./precedence.ts";
import type { NamespacedName } from "./types.ts";

/** A backendRef as the graph follows it. */
export interface BackendRef {
  /** Where it stands in the route: `spec.rules[0].backendRefs[1]`. */
  readonly field: string;
  readonly service: NamespacedName;
  readonly port: number;
  readonly upstream: UpstreamKey;
}

/** All that follows from a route object alone, whatever else the snapshot holds. */
export interface RouteFacts {
  readonly name: NamespacedName;
  readonly generation: number;
  /** Why the route is not accepted; undefined = it is, and the rest is filled. */
  readonly faults: readonly Issue[] | undefined;
  readonly rules: readonly CompiledRule[];
  /** Host patterns, each once and in lower case by the schema; `*` for a route without hostnames. */
  readonly hosts: readonly string[];
  readonly entries: readonly RankedEntry[];
  /** The entries in order of precedence, as a host has them that no other route claims. */
  readonly ordered: readonly CompiledEntry[];
  readonly backendRefs: readonly BackendRef[];
  /** All that the table is made of, as text: routes that agree in it serve alike. */
  readonly content: string;
}

const NOTHING_SERVED = { rules: [], hosts: [], entries: [], ordered: [], backendRefs: [], content: "" };

/** Parses and compiles a route. `name` is what the source calls it; never throws. */
export function readRoute(name: NamespacedName, object: unknown): RouteFacts {
  const generation = generationOf(object);
  const parsed = parseWebSocketRoute(object);
  if (!parsed.ok) {
    return { ...NOTHING_SERVED, name, generation, faults: parsed.issues };
  }
  const { metadata, spec } = parsed.value;
  const namespace = name.slice(0, Math.max(0, name.indexOf("/"))) || "default";
  const createdMs = readTime(metadata.creationTimestamp);
  const rules: CompiledRule[] = [];
  const entries: RankedEntry[] = [];
  const backendRefs: BackendRef[] = [];
  for (const [ruleIndex, rule] of spec.rules.entries()) {
    const refs = followRefs(rule, ruleIndex, namespace);
    const compiled = compileRule(rule, { route: name, index: ruleIndex, upstreams: refs.map((ref) => ref.upstream) });
    rules.push(compiled);
    backendRefs.push(...refs);
    for (const [matchIndex, match] of rule.matches.entries()) {
      const entry = { match: compileMatch(match), rule: compiled };
      entries.push({ entry, route: name, createdMs, ruleIndex, matchIndex });
    }
  }
  const hosts = hostsOf(spec.hostnames);
  const content = JSON.stringify([createdMs, spec]);
  const ordered = inOrder(entries);
  return { name, generation, faults: undefined, rules, hosts, entries, ordered, backendRefs, content };
}

/**
 * The facts of an edited route, with the rules and entries of the one before where nothing of what is served changed:
 * a label, an annotation or a status is no reason for another table.
 */
export function keepEntries(before: RouteFacts | undefined, after: RouteFacts): RouteFacts {
  if (before === undefined || after.faults !== undefined || before.content !== after.content) return after;
  return { ...before, generation: after.generation };
}

/** The class a route names, read without judging the rest: a route of another class is not ours to judge. */
export function classOf(object: unknown): string | undefined {
  const name = field(field(object, "spec"), "ingressClassName");
  return typeof name === "string" ? name : undefined;
}

/** `metadata.generation`, also of a route that does not parse; 0 where nobody counts, as in a folder. */
function generationOf(object: unknown): number {
  const generation = field(field(object, "metadata"), "generation");
  return typeof generation === "number" && Number.isSafeInteger(generation) ? generation : 0;
}

function field(object: unknown, name: string): unknown {
  if (typeof object !== "object" || object === null || !Object.hasOwn(object, name)) return undefined;
  return (object as Readonly<Record<string, unknown>>)[name];
}

function readTime(timestamp: string | undefined): number {
  const time = timestamp === undefined ? Number.NaN : Date.parse(timestamp);
  return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
}

function hostsOf(hostnames: readonly string[] | undefined): readonly string[] {
  if (hostnames === undefined || hostnames.length === 0) return ["*"];
  return hostnames;
}

function followRefs(rule: RouteRule, ruleIndex: number, namespace: string): readonly BackendRef[] {
  return rule.backendRefs.map(({ name, port }, index) => ({
    field: `spec.rules[${ruleIndex}].backendRefs[${index}]`,
    service: `${namespace}/${name}`,
    port,
    upstream: upstreamKey(namespace, name, port),
  }));
}
