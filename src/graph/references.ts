import type { GraphCache } from "./cache.ts";
import { type CompiledRoute, type RefPlace, withhold } from "./compiled-route.ts";
import { type Grants, readGrants } from "./grants.ts";
import {
  backendNotFound,
  externalNameNotAllowed,
  invalidBackend,
  portNotFound,
  type RefFault,
  refNotPermitted,
} from "./ref-faults.ts";
import { remembered } from "./remembered.ts";
import type { BackendRef, RouteFacts } from "./route-facts.ts";
import { findPort, readService } from "./service-facts.ts";
import type { ClusterSnapshot, GraphOptions, NamespacedName } from "./types.ts";

/** Where a route's references lead, and what is served of it for that. */
export interface FollowedRoute {
  readonly faults: readonly RefFault[];
  /** Without the backendRefs that the route may not make. */
  readonly compiled: CompiledRoute;
  /** Those that it may make, whether or not they lead anywhere. */
  readonly named: readonly BackendRef[];
}

/** Follows the backendRefs of one build to Services. */
export class References {
  readonly #snapshot: ClusterSnapshot;
  readonly #services: ReadonlyMap<NamespacedName, unknown>;
  readonly #options: GraphOptions;
  readonly #cache: GraphCache;
  /** Read when the first route refers to another namespace. */
  #grants: Grants | undefined;

  constructor(snapshot: ClusterSnapshot, options: GraphOptions, cache: GraphCache) {
    this.#snapshot = snapshot;
    this.#services = snapshot.list("Service");
    this.#options = options;
    this.#cache = cache;
  }

  follow({ namespace, backendRefs, compiled }: RouteFacts): FollowedRoute {
    const faults: RefFault[] = [];
    const forbidden: RefPlace[] = [];
    const named: BackendRef[] = [];
    for (const ref of backendRefs) {
      const isPermitted = ref.namespace === namespace || this.#isGranted(namespace, ref);
      if (isPermitted) named.push(ref);
      else forbidden.push(ref);
      const fault = isPermitted ? this.#lookUp(ref) : refNotPermitted({ ...ref, fromNamespace: namespace });
      if (fault !== undefined) faults.push(fault);
    }
    if (forbidden.length === 0) return { faults, compiled, named: backendRefs };
    const withheld = withhold(compiled, forbidden, this.#cache.withheld.get(compiled));
    this.#cache.withheld.set(compiled, withheld);
    return { faults, compiled: withheld.compiled, named };
  }

  #isGranted(fromNamespace: string, { namespace, name }: BackendRef): boolean {
    this.#grants ??= readGrants(this.#snapshot, this.#cache.grants);
    return this.#grants.allow({ fromNamespace, namespace, name });
  }

  /** What is wrong with the reference; undefined = nothing. */
  #lookUp({ field, service, port }: BackendRef): RefFault | undefined {
    const object = this.#services.get(service);
    if (object === undefined) return backendNotFound(field, service);
    const facts = remembered(this.#cache.services, object, () => readService(object));
    if (facts.faults !== undefined) return invalidBackend(field, service, facts.faults);
    if (facts.isExternalName && this.#options.externalNames === "Refuse") return externalNameNotAllowed(field, service);
    if (findPort(facts, port) !== undefined) return undefined;
    const ports = facts.ports.map((known) => (known.name === "" ? `${known.port}` : `${known.port} (${known.name})`));
    return portNotFound({ field, service, port, ports });
  }
}
