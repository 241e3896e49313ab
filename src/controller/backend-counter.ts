import type { Endpoint, UpstreamKey } from "../routing/index.ts";
import type { BackendCounts } from "../status/index.ts";

interface Counted {
  readonly endpoints: readonly Endpoint[];
  readonly counts: BackendCounts;
  /** Of the last change; a later one is higher, whatever upstream it is of. */
  readonly stamp: number;
}

const NONE: BackendCounts = { ready: 0, draining: 0 };

/** How many backends there are behind upstreams. Costs nothing until asked, and little when nothing changed since. */
export class BackendCounter {
  readonly #upstreams = new Map<UpstreamKey, Counted>();
  /** Sums over several upstreams; the graph gives an unchanged route the same list. */
  readonly #sums = new WeakMap<readonly UpstreamKey[], Pick<Counted, "counts" | "stamp">>();
  #stamp = 0;

  /** The upstream's endpoints are these now; answers whether their number differs from before. */
  set(upstream: UpstreamKey, endpoints: readonly Endpoint[]): boolean {
    const before = this.#upstreams.get(upstream)?.counts;
    const counts = count(endpoints);
    this.#stamp += 1;
    this.#upstreams.set(upstream, { endpoints, counts, stamp: this.#stamp });
    return before === undefined || before.ready !== counts.ready || before.draining !== counts.draining;
  }

  forget(upstream: UpstreamKey): void {
    this.#upstreams.delete(upstream);
  }

  /** Of all of them together, each address and port once; what is ready behind one of them is ready. */
  of(upstreams: readonly UpstreamKey[]): BackendCounts {
    const [first, ...others] = upstreams;
    if (first === undefined) return NONE;
    if (others.length === 0) return this.#upstreams.get(first)?.counts ?? NONE;
    const stamp = upstreams.reduce((latest, key) => Math.max(latest, this.#upstreams.get(key)?.stamp ?? 0), 0);
    const known = this.#sums.get(upstreams);
    if (known?.stamp === stamp) return known.counts;
    const counts = count(this.#union(upstreams));
    this.#sums.set(upstreams, { counts, stamp });
    return counts;
  }

  #union(upstreams: readonly UpstreamKey[]): readonly Endpoint[] {
    const distinct = new Map<string, Endpoint>();
    for (const upstream of upstreams) {
      for (const endpoint of this.#upstreams.get(upstream)?.endpoints ?? []) {
        const id = `${endpoint.podUid ?? ""}|${endpoint.address}|${endpoint.port}`;
        if (!distinct.has(id) || isReady(endpoint)) distinct.set(id, endpoint);
      }
    }
    return [...distinct.values()];
  }
}

function count(endpoints: readonly Endpoint[]): BackendCounts {
  let ready = 0;
  let draining = 0;
  for (const endpoint of endpoints) {
    if (endpoint.terminating) draining += 1;
    else if (endpoint.ready) ready += 1;
  }
  return { ready, draining };
}

function isReady({ ready, terminating }: Endpoint): boolean {
  return ready && !terminating;
}
