import { type After, afterDelay, type ClusterChange, type ClusterSource, type Log } from "../controller/index.ts";
import { type DnsOptions, ObjectFeed } from "../dns/index.ts";
import type { ClusterSnapshot, NamespacedName } from "../graph/index.ts";
import type { WatchApi } from "./api-client.ts";
import { ListWatch } from "./list-watch.ts";
import type { ListWatchParts } from "./list-watch-options.ts";
import { ObjectScope, type ReadObject, type RouteListener } from "./object-scope.ts";
import { type Resource, RESOURCES, type WatchedKind } from "./resources.ts";
import type { KubeProblem } from "./troubles.ts";
import type { KubeObserver } from "./types.ts";

export interface KubeSourceOptions extends Pick<DnsOptions, "resolve" | "dnsIntervalMs"> {
  readonly api: WatchApi;
  readonly log: Log;
  readonly observer?: Pick<KubeObserver, "watchEnded">;
  /** Only these are read, and nothing that has no namespace; empty = all. */
  readonly namespaces: readonly string[];
  /** Whether Services of type ExternalName get endpoints from DNS. */
  readonly externalNames: "Follow" | "Refuse";
  /** Hears of each route as the API server has it, its status included, before the change is told of. */
  readonly onRoute?: RouteListener;
  readonly after?: After;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
  /** Milliseconds since 1970. */
  readonly wallNow?: () => number;
  /** 0 to 1. */
  readonly random?: () => number;
  /** Objects per page of a list. */
  readonly pageSize?: number;
  /** A watch that says nothing for so long is taken for dead, and all is listed again. */
  readonly silenceMs?: number;
  /** How long the server is asked to keep a watch, at least. */
  readonly watchMs?: number;
  /** How often it is asked again for a kind that is not served. */
  readonly absentRetryMs?: number;
}

interface Followed {
  readonly kind: WatchedKind;
  readonly listWatch: ListWatch<ReadObject | undefined>;
}

const PAGE_SIZE = 500;
const SILENCE_MS = 75_000;
/** As long as client-go's: the server ends a watch after 4 to 5 minutes, so that clients spread over servers again. */
const WATCH_MS = 240_000;
const ABSENT_RETRY_MS = 15_000;

/**
 * The source that reads the Kubernetes API: one list-watch per kind, and per namespace where only some are to be read.
 * Whatever becomes of the API server, what was read last stays.
 */
export class KubeSource implements ClusterSource {
  readonly #feed: ObjectFeed;
  readonly #followed: readonly Followed[];
  /** What is wrong with external names, by their Service. */
  readonly #nameTroubles = new Map<NamespacedName, string>();
  readonly #log: Log;

  constructor(options: KubeSourceOptions) {
    this.#log = options.log;
    this.#feed = new ObjectFeed({
      externalNames:
        options.externalNames === "Follow"
          ? { ...options, onTrouble: (service, message) => this.#nameTrouble(service, message) }
          : undefined,
    });
    this.#followed = scopesOf(options.namespaces).map(({ resource, namespace }) => ({
      kind: resource.kind,
      listWatch: new ListWatch({
        ...partsOf(options),
        resource,
        namespace,
        sink: new ObjectScope({ resource, feed: this.#feed, onRoute: options.onRoute }),
      }),
    }));
  }

  /** Waits for the first list of every kind, however long the API server is away; resolves early when the signal aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) return;
    // Rejects by a fault of ours only, and then nobody is to catch it.
    for (const { listWatch } of this.#followed) void listWatch.run(signal);
    await Promise.race([Promise.all(this.#followed.map(({ listWatch }) => listWatch.synced)), aborted]);
    await this.#feed.start(signal);
  }

  snapshot(): ClusterSnapshot {
    return this.#feed.store;
  }

  onChange(listener: (change: ClusterChange) => void): void {
    this.#feed.onChange(listener);
  }

  /** What is wrong now, in words for the user. */
  problems(): readonly KubeProblem[] {
    const ofKinds = this.#followed.flatMap(({ listWatch }) => listWatch.problem ?? []);
    const ofNames = [...this.#nameTroubles].map(([service, message]) => ({ what: `Service ${service}`, message }));
    return [...ofKinds, ...ofNames];
  }

  /**
   * When each kind was last known to be current, in milliseconds since 1970; the oldest over its namespaces. A healthy
   * watch of which nothing happens says so once a minute. Without an entry: not yet, in one of the namespaces at least.
   */
  freshness(): ReadonlyMap<WatchedKind, number> {
    const times = new Map<WatchedKind, number[]>();
    for (const { kind, listWatch } of this.#followed) {
      times.set(kind, [...(times.get(kind) ?? []), listWatch.freshMs ?? Number.NaN]);
    }
    const oldest = [...times].map(([kind, all]) => [kind, Math.min(...all)] as const);
    return new Map(oldest.filter(([, timeMs]) => !Number.isNaN(timeMs)));
  }

  /** Once when it begins, and once when it ends. */
  #nameTrouble(service: NamespacedName, message: string | undefined): void {
    if (message === this.#nameTroubles.get(service)) return;
    if (message === undefined) {
      this.#nameTroubles.delete(service);
      this.#log.info({ service }, "external name resolves again");
    } else {
      this.#nameTroubles.set(service, message);
      this.#log.warn({ service, problem: message }, "external name problem");
    }
  }
}

/** IngressClasses have no namespace: whoever may read some namespaces only may not read them. */
function scopesOf(namespaces: readonly string[]): readonly { resource: Resource; namespace: string | undefined }[] {
  if (namespaces.length === 0) return RESOURCES.map((resource) => ({ resource, namespace: undefined }));
  return RESOURCES.filter(({ scope }) => scope === "Namespaced").flatMap((resource) =>
    [...new Set(namespaces)].map((namespace) => ({ resource, namespace })),
  );
}

function partsOf(options: KubeSourceOptions): ListWatchParts {
  return {
    api: options.api,
    log: options.log,
    observer: options.observer,
    after: options.after ?? afterDelay,
    now: options.now ?? (() => performance.now()),
    wallNow: options.wallNow ?? Date.now,
    random: options.random ?? Math.random,
    pageSize: options.pageSize ?? PAGE_SIZE,
    silenceMs: options.silenceMs ?? SILENCE_MS,
    watchMs: options.watchMs ?? WATCH_MS,
    absentRetryMs: options.absentRetryMs ?? ABSENT_RETRY_MS,
  };
}
