import type { ClusterSnapshot, Kind, NamespacedName } from "../graph/index.ts";
import { type ClusterObject, objectName } from "./cluster-object.ts";
import { isSameJson } from "./same-json.ts";
import { SliceIndex } from "./slice-index.ts";
import type { ClusterChange } from "./types.ts";

const NOTHING: readonly ClusterChange[] = [];

/**
 * The desired state as a source last read it, and what each change of it means. An object that says the same as the
 * stored one does not replace it: identity means equality, which caches rely on.
 */
export class ObjectStore implements ClusterSnapshot {
  readonly #objects: Readonly<Record<Kind, Map<NamespacedName, ClusterObject>>> = {
    WebSocketRoute: new Map(),
    Service: new Map(),
    EndpointSlice: new Map(),
    IngressClass: new Map(),
    ReferenceGrant: new Map(),
    Secret: new Map(),
    ConfigMap: new Map(),
  };
  readonly #slices = new SliceIndex();

  list(kind: Kind): ReadonlyMap<NamespacedName, ClusterObject> {
    return this.#objects[kind];
  }

  slicesOf(service: NamespacedName): readonly ClusterObject[] {
    return this.#slices.slicesOf(service);
  }

  /** Adds or replaces an object, which must not be changed in place from then on; answers what that changes. */
  put(kind: Kind, object: ClusterObject): readonly ClusterChange[] {
    const name = objectName(object);
    const before = this.#objects[kind].get(name);
    if (before !== undefined && isSameJson(before, object)) return NOTHING;
    this.#objects[kind].set(name, object);
    return this.#changed(kind, name, object);
  }

  /** Takes an object out; answers what that changes, nothing when it was not there. */
  remove(kind: Kind, name: NamespacedName): readonly ClusterChange[] {
    if (!this.#objects[kind].delete(name)) return NOTHING;
    return this.#changed(kind, name, undefined);
  }

  #changed(kind: Kind, name: NamespacedName, object: ClusterObject | undefined): readonly ClusterChange[] {
    switch (kind) {
      case "WebSocketRoute":
      case "IngressClass":
      case "ReferenceGrant":
        return [{ kind: "routes" }];
      case "Service":
        return [{ kind: "services", service: name }];
      case "EndpointSlice":
        return this.#slices.set(name, object).map((service) => ({ kind: "endpoints", service }));
      case "Secret":
      case "ConfigMap":
        return NOTHING;
      default:
        return kind satisfies never;
    }
  }
}
