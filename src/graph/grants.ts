import { API_GROUP, parseReferenceGrant, ROUTE_KIND } from "../api/index.ts";
import { remembered } from "./remembered.ts";
import type { ClusterSnapshot } from "./types.ts";

/** What a ReferenceGrant says of WebSocketRoutes and Services; nothing when it cannot be understood or is of others. */
export interface GrantFacts {
  /** The grant's own namespace: the one that lets others in. */
  readonly namespace: string;
  /** Namespaces whose routes may refer. */
  readonly from: readonly string[];
  /** Names of the Services that they may refer to; undefined = every Service. */
  readonly services: readonly string[] | undefined;
}

/** A reference from a route to a Service of another namespace. */
interface ForeignRef {
  readonly fromNamespace: string;
  readonly namespace: string;
  readonly name: string;
}

/** Every ReferenceGrant of a snapshot together. One look-up an answer, however many grants there are. */
export interface Grants {
  allow(ref: ForeignRef): boolean;
}

/** Reads the ReferenceGrants (Gateway API): each of `from` may refer to each of `to`, and grants only ever add up. */
export function readGrants(snapshot: ClusterSnapshot, known: WeakMap<object, GrantFacts>): Grants {
  const everything = new Set<string>();
  const named = new Set<string>();
  for (const object of snapshot.list("ReferenceGrant").values()) {
    const facts = remembered(known, object, () => readGrant(object));
    for (const from of facts.from) {
      const pair = `${from}/${facts.namespace}`;
      if (facts.services === undefined) everything.add(pair);
      else for (const name of facts.services) named.add(`${pair}/${name}`);
    }
  }
  return {
    allow: ({ fromNamespace, namespace, name }) => {
      const pair = `${fromNamespace}/${namespace}`;
      return everything.has(pair) || named.has(`${pair}/${name}`);
    },
  };
}

function readGrant(object: unknown): GrantFacts {
  const parsed = parseReferenceGrant(object);
  if (!parsed.ok) return { namespace: "", from: [], services: [] };
  const { metadata, spec } = parsed.value;
  const to = spec.to.filter(({ group, kind }) => group === "" && kind === "Service").map(({ name }) => name);
  const names = to.filter((name) => name !== undefined);
  return {
    namespace: metadata.namespace,
    from: spec.from
      .filter(({ group, kind }) => group === API_GROUP && kind === ROUTE_KIND)
      .map(({ namespace }) => namespace),
    services: names.length < to.length ? undefined : names,
  };
}
