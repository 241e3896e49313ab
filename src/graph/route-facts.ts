import { type Issue, parseWebSocketRoute, type RouteRule } from "../api/index.ts";
import { type UpstreamKey, upstreamKey } from "../routing/index.ts";
import { type CompiledRoute, compileRoute, NOTHING_COMPILED, type RefPlace } from "./compiled-route.ts";
import type { NamespacedName } from "./types.ts";

/** A backendRef as the graph follows it. */
export interface BackendRef extends RefPlace {
  /** Where it stands in the route: `spec.rules[0].backendRefs[1]`. */
  readonly field: string;
  readonly namespace: string;
  /** Of the Service. */
  readonly name: string;
  /** `namespace/name` of the Service. */
  readonly service: NamespacedName;
  readonly port: number;
  readonly upstream: UpstreamKey;
}

/** All that follows from a route object alone, whatever else the snapshot holds. */
export interface RouteFacts {
  readonly name: NamespacedName;
  readonly namespace: string;
  /** Of the object, where the source knows one. */
  readonly uid: string | undefined;
  readonly generation: number;
  /** Why the route is not accepted; undefined = it is, and the rest is filled. */
  readonly faults: readonly Issue[] | undefined;
  /** Host patterns, each once and in lower case by the schema; `*` for a route without hostnames. */
  readonly hosts: readonly string[];
  /** The route names no host, and so claims every one. */
  readonly isHostless: boolean;
  /** With every backendRef, whether or not the route may refer to it. */
  readonly compiled: CompiledRoute;
  readonly backendRefs: readonly BackendRef[];
  /** All that the table is made of, as text: routes that agree in it serve alike. */
  readonly content: string;
}

const ANY_HOST: readonly string[] = ["*"];
const NOTHING_SAID = { hosts: [], isHostless: false, compiled: NOTHING_COMPILED, backendRefs: [], content: "" };

/** Parses and compiles a route. `name` is what the source calls it; never throws. */
export function readRoute(name: NamespacedName, object: unknown): RouteFacts {
  const generation = generationOf(object);
  const uid = uidOf(object);
  const namespace = name.slice(0, Math.max(0, name.indexOf("/"))) || "default";
  const parsed = parseWebSocketRoute(object);
  if (!parsed.ok) return { ...NOTHING_SAID, name, namespace, uid, generation, faults: parsed.issues };
  const { metadata, spec } = parsed.value;
  const createdMs = readTime(metadata.creationTimestamp);
  const refs = spec.rules.map((rule, ruleIndex) => readRefs(rule, ruleIndex, namespace));
  const upstreams = refs.map((ofRule) => ofRule.map(({ upstream }) => upstream));
  const isHostless = spec.hostnames === undefined || spec.hostnames.length === 0;
  return {
    name,
    namespace,
    uid,
    generation,
    faults: undefined,
    hosts: isHostless ? ANY_HOST : (spec.hostnames ?? ANY_HOST),
    isHostless,
    compiled: compileRoute({ name, createdMs, rules: spec.rules, upstreams }),
    backendRefs: refs.flat(),
    content: JSON.stringify([createdMs, spec]),
  };
}

/**
 * The facts of an edited route, with the rules and entries of the one before where nothing of what is served changed:
 * a label, an annotation or a status is no reason for another table.
 */
export function keepEntries(before: RouteFacts | undefined, after: RouteFacts): RouteFacts {
  if (before === undefined || after.faults !== undefined || before.content !== after.content) return after;
  return { ...before, generation: after.generation, uid: after.uid };
}

/** The class a route names, read without judging the rest: a route of another class is not ours to judge. */
export function classOf(object: unknown): string | undefined {
  const name = field(field(object, "spec"), "ingressClassName");
  return typeof name === "string" ? name : undefined;
}

function uidOf(object: unknown): string | undefined {
  const uid = field(field(object, "metadata"), "uid");
  return typeof uid === "string" ? uid : undefined;
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

function readRefs(rule: RouteRule, ruleIndex: number, ownNamespace: string): readonly BackendRef[] {
  return rule.backendRefs.map(({ name, namespace = ownNamespace, port }, refIndex) => ({
    field: `spec.rules[${ruleIndex}].backendRefs[${refIndex}]`,
    ruleIndex,
    refIndex,
    namespace,
    name,
    service: `${namespace}/${name}`,
    port,
    upstream: upstreamKey(namespace, name, port),
  }));
}
