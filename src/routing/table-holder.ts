import { emptyTable, type TableDraft } from "./table.ts";
import type { CompiledEntry, CompiledRule, RoutingTable, RuleId, TableDelta, TableRef } from "./types.ts";

/**
 * Told after a commit, synchronously: the rules of every host that the commit replaced, one per id. Some may say what
 * they said before: a host comes with its whole list.
 */
export type CommitListener = (changedRules: ReadonlyMap<RuleId, CompiledRule>) => void;

/**
 * Holds the table in force. A delta arrives in parts, each indexed as it comes so that no part keeps the data thread
 * long; `commit` then makes all of them live in one assignment. A request that read `current` before keeps that table.
 */
export class TableHolder implements TableRef {
  #current = emptyTable();
  #draft: TableDraft | undefined;
  #changed = new Map<RuleId, CompiledRule>();
  readonly #listeners: CommitListener[] = [];

  /** The table in force; generation 0 matches nothing. */
  get current(): RoutingTable {
    return this.#current;
  }

  /** Takes a part of a delta; of a host that comes twice before a commit, the later list counts. */
  stage(hosts: TableDelta["hosts"]): void {
    this.#draft ??= this.#current.draft();
    for (const [pattern, entries] of hosts) {
      this.#draft.put(pattern, entries);
      this.#note(entries ?? []);
    }
  }

  /** More of the list of the host that was staged last: a list too long for one turn of the data thread comes in pieces. */
  extend(entries: readonly CompiledEntry[]): void {
    if (this.#draft === undefined) return;
    this.#draft.extend(entries);
    this.#note(entries);
  }

  /** Forgets what is staged: whoever staged it will not commit it. */
  discard(): void {
    this.#draft = undefined;
    this.#changed = new Map();
  }

  /** Makes everything staged live as the table of that generation, then tells the listeners. */
  commit(generation: number): void {
    const draft = this.#draft ?? this.#current.draft();
    const changed = this.#changed;
    this.discard();
    this.#current = draft.finish(generation);
    for (const listener of this.#listeners) listener(changed);
  }

  /** Live tunnels follow the current rule of their name: whoever keeps them listens here. */
  onCommit(listener: CommitListener): void {
    this.#listeners.push(listener);
  }

  #note(entries: readonly CompiledEntry[]): void {
    for (const { rule } of entries) this.#changed.set(rule.id, rule);
  }
}
