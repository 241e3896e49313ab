import { type After, afterDelay, type ClusterChange, objectName, type ObjectStore } from "../controller/index.ts";
import type { NamespacedName } from "../graph/index.ts";
import { type DnsSlice, dnsSliceNames } from "./dns-slices.ts";
import { ExternalNames } from "./external-names.ts";
import { resolveHost, type ResolveHost } from "./resolve-host.ts";

/** How ExternalName Services are followed; all of it has defaults. */
export interface DnsOptions {
  readonly resolve?: ResolveHost;
  /** Milliseconds between two questions for a host; default 5 s. */
  readonly dnsIntervalMs?: number;
  readonly after?: After;
  /** 0 to 1. */
  readonly random?: () => number;
}

export interface ExternalNamePolicy extends DnsOptions {
  /** What is wrong with a Service's external name; undefined = nothing any more. */
  readonly onTrouble: (service: NamespacedName, message: string | undefined) => void;
}

export interface DnsEndpointsOptions extends ExternalNamePolicy {
  /** Where slices go. */
  readonly store: ObjectStore;
  /** Called after slices came, changed or went, perhaps with nothing. */
  readonly onChanges: (changes: readonly ClusterChange[]) => void;
}

const DNS_INTERVAL_MS = 5000;
const LONGEST_FIRST_ANSWER_MS = 2000;

/** Keeps slices in a store for its ExternalName Services. Those that somebody wrote are never touched. */
export class DnsEndpoints {
  readonly #options: DnsEndpointsOptions;
  readonly #after: After;
  readonly #names: ExternalNames;
  /** Slices that DNS gave, and to which Service. */
  readonly #given = new Map<NamespacedName, NamespacedName>();
  /** Slices that DNS would give to that Service, if nobody had written one of that name. */
  readonly #withheld = new Map<NamespacedName, NamespacedName>();
  /** Ends the wait for first answers. */
  readonly #stopped = Promise.withResolvers<void>();

  constructor(options: DnsEndpointsOptions) {
    this.#options = options;
    this.#after = options.after ?? afterDelay;
    this.#names = new ExternalNames({
      resolve: options.resolve ?? resolveHost,
      after: this.#after,
      random: options.random ?? Math.random,
      intervalMs: options.dnsIntervalMs ?? DNS_INTERVAL_MS,
      onSlices: (service, slices) => this.#put(service, slices),
      onTrouble: options.onTrouble,
    });
  }

  /** DNS gave this slice. */
  has(slice: NamespacedName): boolean {
    return this.#given.has(slice);
  }

  /** Somebody has written a slice of this name, or has taken his out: the place is his, or free again. */
  sliceWritten(slice: NamespacedName): void {
    const service = this.#given.get(slice) ?? this.#withheld.get(slice);
    if (service === undefined) return;
    this.#given.delete(slice);
    this.serviceChanged(service, this.#options.store.list("Service").get(service));
  }

  /** A Service as it is now, of whatever type; undefined = it is gone. */
  serviceChanged(name: NamespacedName, object: unknown): void {
    this.#names.set(name, object);
  }

  /** Resolves when every host has answered or failed once, after two seconds, or at the stop. */
  async firstAnswers(): Promise<void> {
    let cancel = (): void => {};
    const enough = new Promise<void>((resolve) => {
      cancel = this.#after(LONGEST_FIRST_ANSWER_MS, resolve);
    });
    await Promise.race([this.#names.firstAnswers(), enough, this.#stopped.promise]);
    cancel();
  }

  /** No host is asked for any more, and no timer is left. */
  stop(): void {
    this.#names.stop();
    this.#stopped.resolve();
  }

  #put(service: NamespacedName, slices: readonly DnsSlice[]): string | undefined {
    const { store, onChanges } = this.#options;
    const kept = new Set(slices.map(objectName));
    const changes: ClusterChange[] = [];
    for (const name of dnsSliceNames(service)) {
      this.#withheld.delete(name);
      if (!kept.has(name) && this.#given.delete(name)) changes.push(...store.remove("EndpointSlice", name));
    }
    let trouble: string | undefined;
    for (const slice of slices) {
      const name = objectName(slice);
      if (!this.#given.has(name) && store.list("EndpointSlice").has(name)) {
        trouble = `EndpointSlice ${name} is defined already; what the external name resolves to has no place`;
        this.#withheld.set(name, service);
        continue;
      }
      this.#given.set(name, service);
      changes.push(...store.put("EndpointSlice", slice));
    }
    onChanges(changes);
    return trouble;
  }
}
