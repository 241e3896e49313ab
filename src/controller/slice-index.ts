import type { NamespacedName } from "../graph/index.ts";
import type { ClusterObject } from "./cluster-object.ts";

/** Says to which Service a slice belongs (discovery.k8s.io/v1). */
const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

interface ServiceSlices {
  readonly byName: Map<NamespacedName, ClusterObject>;
  /** In order of name; undefined = to be sorted when somebody asks. */
  inOrder: readonly ClusterObject[] | undefined;
}

/** EndpointSlices by the Service they belong to; a change costs the same however many there are. */
export class SliceIndex {
  readonly #services = new Map<NamespacedName, ServiceSlices>();
  readonly #serviceOf = new Map<NamespacedName, NamespacedName>();

  /** In order of name. */
  slicesOf(service: NamespacedName): readonly ClusterObject[] {
    const slices = this.#services.get(service);
    if (slices === undefined) return [];
    slices.inOrder ??= [...slices.byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, slice]) => slice);
    return slices.inOrder;
  }

  /** Takes a slice in, or out when it is undefined; answers the Services whose endpoints that may change. */
  set(name: NamespacedName, slice: ClusterObject | undefined): readonly NamespacedName[] {
    const before = this.#serviceOf.get(name);
    const after = slice === undefined ? undefined : serviceOf(name, slice);
    if (before !== undefined && before !== after) this.#leave(before, name);
    if (slice !== undefined && after !== undefined) this.#join(after, name, slice);
    return [...new Set([before, after])].filter((service) => service !== undefined);
  }

  #leave(service: NamespacedName, name: NamespacedName): void {
    this.#serviceOf.delete(name);
    const slices = this.#services.get(service);
    if (slices === undefined) return;
    slices.byName.delete(name);
    slices.inOrder = undefined;
    if (slices.byName.size === 0) this.#services.delete(service);
  }

  #join(service: NamespacedName, name: NamespacedName, slice: ClusterObject): void {
    this.#serviceOf.set(name, service);
    const slices = this.#services.get(service) ?? { byName: new Map(), inOrder: undefined };
    this.#services.set(service, slices);
    slices.byName.set(name, slice);
    slices.inOrder = undefined;
  }
}

function serviceOf(name: NamespacedName, slice: ClusterObject): NamespacedName | undefined {
  const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
  return service === undefined ? undefined : `${name.slice(0, name.indexOf("/"))}/${service}`;
}
