import { afterDelay, type ClusterChange, type ClusterObject, objectName, ObjectStore, type After } from "../controller/index.ts";
import type { Kind, NamespacedName } from "../graph/index.ts";
import { type DnsSlice, dnsSliceNames } from "./dns-slices.ts";
import { ExternalNames } from "./external-names.ts";
import { resolveHost, type ResolveHost } from "./resolve-host.ts";

/** How ExternalName Services are followed; all of it has defaults. */
export interface DnsOptions {
  readonly resolve?: ResolveHost;
  readonly dnsIntervalMs?: number;
  readonly after?: After;
  /** 0 to 1. */
  readonly random?: () => number;
}

export interface ObjectFeedOptions extends DnsOptions {
  /** What is wrong with a Service's external name; undefined = nothing any more. */
  readonly onTrouble: (service: NamespacedName, message: string | undefined) => void;
}

const DNS_INTERVAL_MS = 5000;
const LONGEST_FIRST_ANSWER_MS = 2000;

/** What both sources of this room share: the store, the Services that DNS follows, and telling of changes. */
export class ObjectFeed {
  readonly store = new ObjectStore();
  readonly #after: After;
  readonly #names: ExternalNames;
  readonly #onTrouble: ObjectFeedOptions["onTrouble"];
  readonly #listeners: ((change: ClusterChange) => void)[] = [];
  /** Slices that DNS gave; those that somebody wrote are never touched. */
  readonly #dnsSlices = new Set<NamespacedName>();
  #isTelling = false;

  constructor(options: ObjectFeedOptions) {
    this.#after = options.after ?? afterDelay;
    this.#onTrouble = options.onTrouble;
    this.#names = new ExternalNames({
      resolve: options.resolve ?? resolveHost,
      after: this.#after,
      random: options.random ?? Math.random,
      intervalMs: options.dnsIntervalMs ?? DNS_INTERVAL_MS,
      onSlices: (service, slices) => this.#putDnsSlices(service, slices),
      onTrouble: options.onTrouble,
    });
  }

  onChange(listener: (change: ClusterChange) => void): void {
    this.#listeners.push(listener);
  }

  /** Tells of changes from now on. Waits a moment for the first answers of DNS, so that nobody begins without them. */
  async start(signal: AbortSignal): Promise<void> {
    let cancel = (): void => {};
    const enough = new Promise<void>((resolve) => {
      cancel = this.#after(LONGEST_FIRST_ANSWER_MS, resolve);
      signal.addEventListener("abort", () => this.#stop(resolve), { once: true });
      if (signal.aborted) this.#stop(resolve);
    });
    await Promise.race([this.#names.firstAnswers(), enough]);
    cancel();
    this.#isTelling = true;
  }

  /** Takes objects in and out, and tells once of each thing that changed. */
  apply(change: { readonly put: readonly Put[]; readonly removed: readonly Removed[] }): void {
    const changes: ClusterChange[] = [];
    for (const { kind, object } of change.put) {
      if (kind === "EndpointSlice") this.#dnsSlices.delete(objectName(object));
      const said = this.store.put(kind, object);
      changes.push(...said);
      if (kind === "Service" && said.length > 0) this.#names.set(objectName(object), object);
    }
    for (const { kind, name } of change.removed) {
      const said = this.store.remove(kind, name);
      changes.push(...said);
      if (kind === "Service" && said.length > 0) this.#names.set(name, undefined);
    }
    this.#tell(changes);
  }

  #stop(done: () => void): void {
    this.#isTelling = false;
    this.#names.stop();
    done();
  }

  #putDnsSlices(service: NamespacedName, slices: readonly DnsSlice[]): void {
    const changes: ClusterChange[] = [];
    const kept = new Set(slices.map(objectName));
    for (const name of dnsSliceNames(service)) {
      if (!kept.has(name) && this.#dnsSlices.delete(name)) changes.push(...this.store.remove("EndpointSlice", name));
    }
    for (const slice of slices) {
      const name = objectName(slice);
      if (!this.#dnsSlices.has(name) && this.store.list("EndpointSlice").has(name)) {
        this.#onTrouble(service, `EndpointSlice ${name} exists already; addresses of the external name have no place`);
        continue;
      }
      this.#dnsSlices.add(name);
      changes.push(...this.store.put("EndpointSlice", slice));
    }
    this.#tell(changes);
  }

  #tell(changes: readonly ClusterChange[]): void {
    if (!this.#isTelling) return;
    const distinct = new Map(changes.map((change) => [keyOf(change), change]));
    for (const change of distinct.values()) for (const listener of this.#listeners) listener(change);
  }
}

export interface Put {
  readonly kind: Kind;
  readonly object: ClusterObject;
}

export interface Removed {
  readonly kind: Kind;
  readonly name: NamespacedName;
}

function keyOf(change: ClusterChange): string {
  return change.kind === "routes" ? change.kind : `${change.kind}|${change.service}`;
}
