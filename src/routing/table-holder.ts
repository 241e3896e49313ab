import { emptyTable, type TableDraft } from "./table.ts";
import type { CompiledEntry, CompiledRule, RoutingTable, RuleId, TableDelta, TableRef } from "./types.ts";

/**
 * Told after a commit, synchronously: the rules of every host that the commit replaced, one per id. Some may say what
 * they said before: a host comes with its whole list.
 */
export type CommitListener = (changedRules: readonly CompiledRule[]) => void;

/**
 * Holds the table in force. A delta arrives in parts, each indexed as it comes so that no part keeps the data thread
 * long; `commit` then makes all of them live in one assignment. A request that read `current` before keeps that table.
 */
export class TableHolder implements TableRef {
  #current = emptyTable();
  #draft: TableDraft | undefined;
  #staged = new Map<string, readonly CompiledEntry[] | null>();
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
      this.#staged.set(pattern, entries);
    }
  }

  /** Makes everything staged live as the table of that generation, then tells the listeners. */
  commit(generation: number): void {
    const draft = this.#draft ?? this.#current.draft();
    const staged = this.#staged;
    this.#draft = undefined;
    this.#staged = new Map();
    this.#current = draft.finish(generation);
    if (this.#listeners.length === 0) return;
    const rules = rulesOf(staged.values());
    for (const listener of this.#listeners) listener(rules);
  }

  /** Live tunnels follow the current rule of their name: whoever keeps them listens here. */
  onCommit(listener: CommitListener): void {
    this.#listeners.push(listener);
  }
}

function rulesOf(lists: Iterable<readonly CompiledEntry[] | null>): readonly CompiledRule[] {
  const rules = new Map<RuleId, CompiledRule>();
  for (const entries of lists) for (const { rule } of entries ?? []) rules.set(rule.id, rule);
  return [...rules.values()];
}
