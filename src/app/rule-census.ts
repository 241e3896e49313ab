import type { CompiledEntry, RuleId } from "../routing/index.ts";

export interface CensusChange {
  readonly gone: readonly RuleId[];
  readonly arrived: readonly RuleId[];
}

/** Which hosts and rules the tables name; each part of a delta is counted as it comes, so that a commit stays short. */
export class RuleCensus {
  readonly #rulesOf = new Map<string, readonly RuleId[]>();
  /** In how many hosts' lists a rule stands. */
  readonly #counts = new Map<RuleId, number>();
  /** Rules whose count changed since the last commit → whether they were there at it. */
  readonly #touched = new Map<RuleId, boolean>();

  /** A host has this list from the next commit on. */
  stage(pattern: string, entries: readonly CompiledEntry[] | null): void {
    for (const id of this.#rulesOf.get(pattern) ?? []) this.#count(id, -1);
    if (entries === null) {
      this.#rulesOf.delete(pattern);
      return;
    }
    const ids = [...new Set(entries.map(({ rule }) => rule.id))];
    this.#rulesOf.set(pattern, ids);
    for (const id of ids) this.#count(id, 1);
  }

  /** What the commit took away and brought. */
  commit(): CensusChange {
    const gone: RuleId[] = [];
    const arrived: RuleId[] = [];
    for (const [id, wasThere] of this.#touched) {
      const isThere = this.#counts.has(id);
      if (wasThere && !isThere) gone.push(id);
      if (!wasThere && isThere) arrived.push(id);
    }
    this.#touched.clear();
    return { gone, arrived };
  }

  #count(id: RuleId, by: number): void {
    const before = this.#counts.get(id) ?? 0;
    if (!this.#touched.has(id)) this.#touched.set(id, before > 0);
    if (before + by > 0) this.#counts.set(id, before + by);
    else this.#counts.delete(id);
  }
}
