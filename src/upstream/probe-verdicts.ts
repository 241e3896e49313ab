import type { ActiveHealth } from "../routing/index.ts";
import type { BackendId } from "./types.ts";

type ProbeKey = ActiveHealth["key"];

/** What probes have found, by what they ask. A backend that was not probed yet is well: the source says that it is ready. */
export class ProbeVerdicts {
  readonly #failing = new Map<ProbeKey, Set<BackendId>>();

  /** Whoever probes says so whenever it changes. */
  set(key: ProbeKey, id: BackendId, verdict: "failing" | "well"): void {
    const failing = this.#failing.get(key) ?? new Set<BackendId>();
    if (verdict === "failing") this.#failing.set(key, failing.add(id));
    else if (failing.delete(id) && failing.size === 0) this.#failing.delete(key);
  }

  /** Those that fail this probe; undefined = none does. */
  failing(key: ProbeKey): ReadonlySet<BackendId> | undefined {
    return this.#failing.get(key);
  }

  /** Some probe fails there. */
  isFailing(id: BackendId): boolean {
    for (const failing of this.#failing.values()) if (failing.has(id)) return true;
    return false;
  }
}
