import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Endpoint } from "../routing/index.ts";
import { AffinityBook, type AffinityKeys } from "./affinity-book.ts";
import { isAffinityValue } from "./affinity-values.ts";
import { BackendState } from "./backend-state.ts";
import { KeyedHash } from "./keyed-hash.ts";
import type { BackendId } from "./types.ts";
import { addressOf, CHAT, endpoint } from "./upstream.fixture.ts";

const OLD = new TextEncoder().encode("the key of last year, 32 bytes or more");
const NEW = new TextEncoder().encode("the key of this year, 32 bytes or more");
const KEYS: AffinityKeys = { current: NEW, previous: undefined };
const ROTATED: AffinityKeys = { current: NEW, previous: OLD };

/** A list of backends and the book about them, in step as the registry keeps them. */
class Listed {
  readonly book = new AffinityBook(CHAT);
  readonly backends = new Map<BackendId, BackendState>();

  list(...endpoints: readonly Endpoint[]): readonly BackendState[] {
    const states = endpoints.map((one) => {
      const fresh = new BackendState(CHAT, one, 0);
      const state = this.backends.get(fresh.backend.id) ?? fresh;
      state.endpoint = one;
      state.standing = one.ready ? "serving" : "unready";
      return state;
    });
    for (const [id, state] of this.backends) if (!states.includes(state)) this.backends.delete(id);
    for (const state of states) this.backends.set(state.backend.id, state);
    this.book.backendsChanged();
    return states;
  }

  /** The address that a value leads to. */
  to(value: string, keys: AffinityKeys = KEYS): string | undefined {
    return this.book.find(value, this.backends, keys)?.backend.backend.address;
  }
}

function pod(address: string, podUid: string, change: Partial<Endpoint> = {}): Endpoint {
  return endpoint(address, { podUid, ...change });
}

describe("the value of a backend", () => {
  const only = (of: Endpoint, keys = KEYS): string => {
    const listed = new Listed();
    return listed.book.valueOf(listed.list(of)[0]!, keys);
  };

  test("is the first 16 bytes of the HMAC of the upstream and the Pod's UID, wherever the Pod is", () => {
    const want = createHmac("sha256", NEW).update(`${CHAT}\nuid-1`).digest().subarray(0, 16).toString("base64url");
    expect(only(pod("10.0.0.1", "uid-1"))).toBe(want);
    expect(only(pod("10.0.0.2", "uid-1"))).toBe(want);
    expect(isAffinityValue(want)).toBe(true);
  });

  test("is of the address and port where no UID is known", () => {
    const want = createHmac("sha256", NEW).update(`${CHAT}\n10.0.0.1:80`).digest().subarray(0, 16);
    expect(only(endpoint("10.0.0.1"))).toBe(want.toString("base64url"));
    expect(only(endpoint("10.0.0.1", { port: 81 }))).not.toBe(want.toString("base64url"));
  });

  test("is another in another upstream, and under another key", () => {
    const elsewhere = new AffinityBook("apps/games:80" as typeof CHAT);
    const backend = new BackendState(CHAT, pod("10.0.0.1", "uid-1"), 0);
    const value = only(pod("10.0.0.1", "uid-1"));
    expect(elsewhere.valueOf(backend, KEYS)).not.toBe(value);
    expect(only(pod("10.0.0.1", "uid-1"), { current: OLD, previous: NEW })).not.toBe(value);
  });

  test("is that of node:crypto for keys and texts of any length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), fc.string({ unit: "binary" }), (key, text) => {
        expect(new KeyedHash(key).of(text)).toEqual(createHmac("sha256", key).update(text).digest());
      }),
      { numRuns: 30 },
    );
  });
});

describe("whom a value means", () => {
  test("is the backend it was made for, and nobody else", () => {
    const listed = new Listed();
    const [one, two] = listed.list(pod("10.0.0.1", "a"), pod("10.0.0.2", "b"));
    expect(listed.to(listed.book.valueOf(one!, KEYS))).toBe("10.0.0.1");
    expect(listed.to(listed.book.valueOf(two!, KEYS))).toBe("10.0.0.2");
  });

  test("is nobody once the Pod is gone, and not the next Pod on its address", () => {
    const listed = new Listed();
    const [one] = listed.list(pod("10.0.0.1", "a"));
    const value = listed.book.valueOf(one!, KEYS);
    expect(listed.to(value)).toBe("10.0.0.1");
    const [next] = listed.list(pod("10.0.0.1", "b"));
    expect(listed.to(value)).toBeUndefined();
    expect(listed.to(listed.book.valueOf(next!, KEYS))).toBe("10.0.0.1");
  });

  test("is nobody from the moment that the backend is forgotten, without a new list", () => {
    const listed = new Listed();
    const [one] = listed.list(pod("10.0.0.1", "a"));
    const value = listed.book.valueOf(one!, KEYS);
    expect(listed.to(value)).toBe("10.0.0.1");
    listed.backends.delete(one!.backend.id);
    expect(listed.to(value)).toBeUndefined();
  });

  test("is a backend that came after the first cookies", () => {
    const listed = new Listed();
    listed.list(pod("10.0.0.1", "a"));
    expect(listed.to("A".repeat(22))).toBeUndefined();
    const [, two] = listed.list(pod("10.0.0.1", "a"), pod("10.0.0.2", "b"));
    expect(listed.to(listed.book.valueOf(two!, KEYS))).toBe("10.0.0.2");
  });

  test.for([
    { name: "the new address of a Pod that was given one", first: false },
    { name: "in whichever order they are known", first: true },
  ])("is $name", ({ first }) => {
    const listed = new Listed();
    const gone = pod("10.0.0.1", "a", { ready: false });
    const now = pod("10.0.0.9", "a");
    const [one] = listed.list(...(first ? [now, gone] : [gone, now]));
    expect(listed.to(listed.book.valueOf(one!, KEYS))).toBe("10.0.0.9");
  });

  test.for([
    { name: "nothing", value: "" },
    { name: "a megabyte", value: "x".repeat(1_000_000) },
    { name: "the name of what objects have", value: "__proto__" },
    { name: "what is no text at all", value: "\u0000\ud800\uffff" },
    { name: "the Pod's UID", value: "a" },
  ])("is nobody for $name", ({ value }) => {
    const listed = new Listed();
    listed.list(pod("10.0.0.1", "a"));
    expect(listed.to(value, ROTATED)).toBeUndefined();
    expect(isAffinityValue(value)).toBe(false);
  });
});

describe("a rotation", () => {
  test("leaves those with the key before where they are, and says that theirs is old", () => {
    const listed = new Listed();
    const [one] = listed.list(pod("10.0.0.1", "a"));
    const old = listed.book.valueOf(one!, { current: OLD, previous: undefined });
    const found = listed.book.find(old, listed.backends, ROTATED);
    expect(found).toMatchObject({ backend: one, isCurrent: false });
    const fresh = listed.book.valueOf(one!, ROTATED);
    expect(fresh).not.toBe(old);
    expect(listed.book.find(fresh, listed.backends, ROTATED)).toMatchObject({ backend: one, isCurrent: true });
  });

  test("finds a key that is announced as previous before it is in force", () => {
    const listed = new Listed();
    const [one] = listed.list(pod("10.0.0.1", "a"));
    const fresh = listed.book.valueOf(one!, KEYS);
    expect(listed.to(fresh, { current: OLD, previous: NEW })).toBe("10.0.0.1");
  });

  test("ends with the key before: what it made means nobody", () => {
    const listed = new Listed();
    const [one] = listed.list(pod("10.0.0.1", "a"));
    const old = listed.book.valueOf(one!, { current: OLD, previous: undefined });
    expect(listed.to(old, ROTATED)).toBe("10.0.0.1");
    expect(listed.to(old, KEYS)).toBeUndefined();
  });
});

test("what is asked of 1,000 backends costs one look-up once they are known (costs are printed)", () => {
  const listed = new Listed();
  const states = listed.list(...Array.from({ length: 1_000 }, (_, index) => pod(addressOf(index), `uid-${index}`)));
  const time = (work: () => void): number => {
    const startedMs = performance.now();
    work();
    return performance.now() - startedMs;
  };
  const firstMs = time(() => void listed.to("A".repeat(22), ROTATED));
  const values = states.map((state) => listed.book.valueOf(state, ROTATED));
  const rounds = 200;
  const hitsMs = time(() => {
    for (let round = 0; round < rounds; round++) for (const value of values) listed.to(value, ROTATED);
  });
  const missesMs = time(() => {
    for (let n = 0; n < rounds * 1_000; n++) listed.to(`${n}`.padStart(22, "x"), ROTATED);
  });
  const tell = (text: string): void => void process.stdout.write(`${text}\n`);
  const each = (ms: number): string => `${((ms * 1_000) / rounds / 1_000).toFixed(2)} µs`;
  tell(`first question, two keys: ${firstMs.toFixed(1)} ms; a hit: ${each(hitsMs)}; a miss: ${each(missesMs)}`);
  listed.list(...states.map(({ endpoint: known }) => known!), pod("10.9.9.9", "new"));
  tell(`first question after one came: ${time(() => void listed.to("B".repeat(22), ROTATED)).toFixed(2)} ms`);
  expect(values.map((value) => listed.to(value, ROTATED))).toEqual(states.map(({ backend }) => backend.address));
});
