import {
  type ClusterSnapshot,
  type GraphCache,
  type GraphOptions,
  type NamespacedName,
  resolveEndpoints,
} from "../graph/index.ts";
import { type Endpoint, parseUpstreamKey, type UpstreamKey } from "../routing/index.ts";
import type { BackendCounts } from "../status/index.ts";
import { BackendCounter } from "./backend-counter.ts";
import type { Turns } from "./turns.ts";
import type { DataPlane, Log } from "./types.ts";

export interface EndpointRoadParts {
  readonly snapshot: () => ClusterSnapshot;
  readonly dataPlane: DataPlane;
  readonly options: Pick<GraphOptions, "externalNames">;
  readonly cache: GraphCache;
  readonly log: Log;
  /** The number of backends behind some upstream is another than before. */
  readonly onCounts?: () => void;
}

/**
 * The short road: tells the data plane the endpoints of the upstreams it follows, each list once, whatever the table
 * does meanwhile. What the data plane does not take is owed and sent again.
 */
export class EndpointRoad {
  readonly #parts: EndpointRoadParts;
  /** Followed upstreams with the list last sent; undefined = none was taken yet. */
  readonly #sent = new Map<UpstreamKey, readonly Endpoint[] | undefined>();
  readonly #ofService = new Map<NamespacedName, Set<UpstreamKey>>();
  readonly #owed = new Set<UpstreamKey>();
  readonly #counter = new BackendCounter();
  /** All of these are followed. The graph gives the same set as long as it holds the same. */
  #followed: ReadonlySet<UpstreamKey> | undefined;

  constructor(parts: EndpointRoadParts) {
    this.#parts = parts;
  }

  /** Something that was to be sent was not taken. */
  get isBehind(): boolean {
    return this.#owed.size > 0;
  }

  /** How many backends the data plane knows behind these, together. */
  countOf(upstreams: readonly UpstreamKey[]): BackendCounts {
    return this.#counter.of(upstreams);
  }

  /** Follows these too; the data plane knows their endpoints when this resolves. */
  async follow(upstreams: ReadonlySet<UpstreamKey>, turns: Turns): Promise<void> {
    if (upstreams === this.#followed) return;
    for (const upstream of upstreams) {
      if (this.#sent.has(upstream)) continue;
      if (turns.isOver) await turns.next();
      this.#sent.set(upstream, undefined);
      const service = serviceOf(upstream);
      const siblings = this.#ofService.get(service);
      if (siblings === undefined) this.#ofService.set(service, new Set([upstream]));
      else siblings.add(upstream);
      this.#send(upstream);
    }
    this.#followed = upstreams;
  }

  /** The Service or its slices changed. */
  serviceChanged(service: NamespacedName): void {
    for (const upstream of this.#ofService.get(service) ?? []) this.#send(upstream);
  }

  /** Sends what is owed once more. */
  retry(): void {
    for (const upstream of this.#owed) if (this.#sent.has(upstream)) this.#send(upstream);
  }

  /** No rule names any other upstream than these, all of which are followed: the data plane may forget the rest. */
  forgetAllBut(upstreams: ReadonlySet<UpstreamKey>): void {
    if (upstreams.size === this.#sent.size) return;
    for (const upstream of this.#sent.keys()) if (!upstreams.has(upstream)) this.#forget(upstream);
  }

  #send(upstream: UpstreamKey): void {
    const { snapshot, dataPlane, options, cache, log } = this.#parts;
    try {
      const endpoints = resolveEndpoints(snapshot(), upstream, options, cache);
      const before = this.#sent.get(upstream);
      const isNew = before === undefined || !isSameList(before, endpoints);
      if (isNew) dataPlane.setEndpoints(upstream, endpoints);
      this.#sent.set(upstream, endpoints);
      this.#owed.delete(upstream);
      if (isNew && this.#counter.set(upstream, endpoints)) this.#parts.onCounts?.();
    } catch (error) {
      this.#owed.add(upstream);
      log.error({ upstream, err: error }, "endpoints could not be handed over; they will be tried again");
    }
  }

  #forget(upstream: UpstreamKey): void {
    const { dataPlane, log } = this.#parts;
    try {
      dataPlane.setEndpoints(upstream, null);
    } catch (error) {
      this.#owed.add(upstream);
      log.error({ upstream, err: error }, "an upstream could not be forgotten; it will be tried again");
      return;
    }
    this.#sent.delete(upstream);
    this.#owed.delete(upstream);
    this.#counter.forget(upstream);
    const service = serviceOf(upstream);
    const siblings = this.#ofService.get(service);
    siblings?.delete(upstream);
    if (siblings?.size === 0) this.#ofService.delete(service);
  }
}

function serviceOf(upstream: UpstreamKey): NamespacedName {
  const { namespace, service } = parseUpstreamKey(upstream);
  return `${namespace}/${service}`;
}

/** Both come from `resolveEndpoints`, which puts them in order. */
function isSameList(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  return a.length === b.length && a.every((endpoint, index) => isSameEndpoint(endpoint, b[index]));
}

function isSameEndpoint(a: Endpoint, b: Endpoint | undefined): boolean {
  return (
    b !== undefined &&
    a.address === b.address &&
    a.port === b.port &&
    a.podUid === b.podUid &&
    a.ready === b.ready &&
    a.serving === b.serving &&
    a.terminating === b.terminating &&
    isSameZones(a.zones, b.zones)
  );
}

function isSameZones(a: Endpoint["zones"], b: Endpoint["zones"]): boolean {
  return (
    a === b || (a !== undefined && b !== undefined && a.length === b.length && a.every((zone, i) => zone === b[i]))
  );
}
