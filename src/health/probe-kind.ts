import type { ActiveHealth, UpstreamKey } from "../routing/index.ts";
import type { Backend, BackendId } from "../upstream/index.ts";
import { ProbedBackend, type ProbingSurroundings } from "./probed-backend.ts";

const NOBODY: ReadonlySet<BackendId> = new Set();

/** What some rules ask alike of their backends, with all backends that are asked it. */
export class ProbeKind {
  readonly active: ActiveHealth;
  readonly #around: ProbingSurroundings;
  /** How many rules lead to each upstream. */
  readonly #rules = new Map<UpstreamKey, number>();
  /** Those ready in each upstream, as last heard. */
  readonly #ready = new Map<UpstreamKey, ReadonlySet<BackendId>>();
  /** The same backend may be in several upstreams. */
  readonly #probed = new Map<BackendId, ProbedBackend>();
  #past: ProbeKind | undefined;

  constructor(active: ActiveHealth, around: ProbingSurroundings) {
    this.active = active;
    this.#around = around;
  }

  /** No rule asks this any more. */
  get isUnused(): boolean {
    return this.#rules.size === 0;
  }

  /** Backends that are probed. */
  get size(): number {
    return this.#probed.size;
  }

  /**
   * An edit of a rule made this out of another kind that asked the same question at another pace: who fails there fails here, until
   * `past` is taken back.
   */
  set past(kind: ProbeKind | undefined) {
    this.#past = kind;
  }

  /** One more rule that asks this leads there; true = it is the first one. */
  enter(upstream: UpstreamKey): boolean {
    const count = this.#rules.get(upstream) ?? 0;
    this.#rules.set(upstream, count + 1);
    return count === 0;
  }

  /** The counterpart of `enter`; true = that was the last one. */
  leave(upstream: UpstreamKey): boolean {
    const count = (this.#rules.get(upstream) ?? 0) - 1;
    if (count > 0) this.#rules.set(upstream, count);
    else this.#rules.delete(upstream);
    return count <= 0;
  }

  /** Probes these of the upstream, and no others of it. */
  review(upstream: UpstreamKey, ready: readonly Backend[]): void {
    const before = this.#ready.get(upstream) ?? NOBODY;
    if (before.size === 0 && ready.length === 0) return;
    const ids = new Set(ready.map(({ id }) => id));
    for (const backend of ready) if (!before.has(backend.id)) this.#hold(backend);
    for (const id of before) if (!ids.has(id)) this.#letGo(id);
    if (ids.size === 0) this.#ready.delete(upstream);
    else this.#ready.set(upstream, ids);
  }

  isFailing(id: BackendId): boolean {
    return this.#probed.get(id)?.isFailing === true;
  }

  stop(): void {
    for (const probed of this.#probed.values()) probed.stop();
    this.#probed.clear();
    this.#ready.clear();
  }

  #hold(backend: Backend): void {
    let probed = this.#probed.get(backend.id);
    if (probed === undefined) {
      const known = this.#past?.isFailing(backend.id) === true ? "failing" : "well";
      probed = new ProbedBackend(backend, this.active, known, this.#around);
      this.#probed.set(backend.id, probed);
    }
    probed.holders++;
  }

  #letGo(id: BackendId): void {
    const probed = this.#probed.get(id);
    if (probed === undefined) return;
    probed.holders--;
    if (probed.holders > 0) return;
    probed.stop();
    this.#probed.delete(id);
  }
}
