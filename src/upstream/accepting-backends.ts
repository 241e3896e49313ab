import type { BackendState } from "./backend-state.ts";
import { LeaseLevels, type Level } from "./lease-levels.ts";

/** The backends of an upstream that take new tunnels, as the ways to choose among them see them. */
export class AcceptingBackends {
  #list: readonly BackendState[] = [];
  readonly #levels = new LeaseLevels();

  /** Another array after each `replace`, and the same until then. */
  get list(): readonly BackendState[] {
    return this.#list;
  }

  /** Those with the fewest leases; undefined = there are no backends. */
  get lowest(): Level | undefined {
    return this.#levels.lowest;
  }

  /** Leases of all of them. */
  get leases(): number {
    return this.#levels.leases;
  }

  /** Leases of one of them, on average; 0 where there is none. */
  get mean(): number {
    return this.#list.length === 0 ? 0 : this.leases / this.#list.length;
  }

  has(backend: BackendState): boolean {
    return this.#levels.has(backend);
  }

  /** Takes over who accepts now; what they carry counts on. */
  replace(list: readonly BackendState[]): void {
    this.#list = list;
    this.#levels.replace(list);
  }

  /** To be told of each lease that begins on a backend of the upstream, accepting or not. */
  raised(backend: BackendState): void {
    this.#levels.raised(backend);
  }

  /** As `raised`, of each that ends. */
  lowered(backend: BackendState): void {
    this.#levels.lowered(backend);
  }
}
