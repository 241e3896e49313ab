/** So many entries are passed over in search of one that is asked for: more would cost more than looking it up. */
const MOST_PASSED = 4;

/**
 * Looks up entries of a Map for somebody who asks for its keys in nearly the Map's own order, such as that of a later
 * copy: then an answer is the next entry and costs a fraction of a `get`. The answers are those of `get` in any order.
 */
export class InStep<Value> {
  readonly #map: ReadonlyMap<string, Value>;
  readonly #entries: Iterator<readonly [string, Value]>;
  #next: IteratorResult<readonly [string, Value]>;

  constructor(map: ReadonlyMap<string, Value>) {
    this.#map = map;
    this.#entries = map.entries();
    this.#next = this.#entries.next();
  }

  get(key: string): Value | undefined {
    if (this.#isNext(key)) return this.#pass();
    const value = this.#map.get(key);
    // Who asks has an entry that the Map has not; the next one is still to come.
    if (value === undefined) return undefined;
    for (let passed = 0; passed < MOST_PASSED && this.#next.done !== true; passed++) {
      this.#pass();
      if (this.#isNext(key)) return this.#pass();
    }
    return value;
  }

  #isNext(key: string): boolean {
    return this.#next.done !== true && this.#next.value[0] === key;
  }

  #pass(): Value | undefined {
    const { value, done } = this.#next;
    this.#next = this.#entries.next();
    return done === true ? undefined : value[1];
  }
}
