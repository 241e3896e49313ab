import type { UpstreamKey } from "../routing/index.ts";
import type { BackendState } from "./backend-state.ts";
import { KeyedHash } from "./keyed-hash.ts";

/** Of the hash's 32 bytes; nobody guesses 128 bits, and nobody finds the Pod's UID or the key from them. */
const VALUE_BYTES = 16;
const VALUE = /^[A-Za-z0-9_-]{22}$/;

/** Whether a text could be the value of a backend: 16 bytes in base64url (RFC 4648 5), without padding. */
export function isAffinityValue(text: string): boolean {
  return VALUE.test(text);
}

/**
 * The values of one upstream's backends under one key. Each is worked out once for each backend, when somebody asks; which
 * backend a value means is one look-up in an index, made anew after a change of the list.
 */
export class AffinityValues {
  readonly #upstream: UpstreamKey;
  readonly #key: Uint8Array;
  readonly #hash: KeyedHash;
  readonly #known = new WeakMap<BackendState, string>();
  /** Undefined = the backends are others than they were. */
  #backends: ReadonlyMap<string, BackendState> | undefined = undefined;

  constructor(upstream: UpstreamKey, key: Uint8Array) {
    this.#upstream = upstream;
    this.#key = key;
    this.#hash = new KeyedHash(key);
  }

  isUnder(key: Uint8Array): boolean {
    return Buffer.compare(this.#key, key) === 0;
  }

  backendsChanged(): void {
    this.#backends = undefined;
  }

  /** Undefined = none of these backends, which are those of the upstream, has that value. */
  find(value: string, backends: ReadonlyMap<BackendState["backend"]["id"], BackendState>): BackendState | undefined {
    this.#backends ??= this.#index(backends.values());
    const found = this.#backends.get(value);
    // It may have been forgotten since.
    return found !== undefined && backends.get(found.backend.id) === found ? found : undefined;
  }

  valueOf(backend: BackendState): string {
    let value = this.#known.get(backend);
    if (value === undefined) {
      const { podUid, target } = backend.backend;
      value = this.#hash.of(`${this.#upstream}\n${podUid ?? target}`).toString("base64url", 0, VALUE_BYTES);
      this.#known.set(backend, value);
    }
    return value;
  }

  #index(backends: Iterable<BackendState>): ReadonlyMap<string, BackendState> {
    const index = new Map<string, BackendState>();
    for (const backend of backends) {
      const value = this.valueOf(backend);
      const other = index.get(value);
      // One Pod at two addresses: it was given another, and what it had is not forgotten yet.
      if (other === undefined || rank(backend) > rank(other)) index.set(value, backend);
    }
    return index;
  }
}

/** The higher the better to come back to. */
function rank(backend: BackendState): number {
  if (backend.isAccepting) return 2;
  return backend.isLastResort ? 1 : 0;
}
