/**
 * Ways to hash keys to backends, side by side: who moves when 1 of 20 leaves, how even the shares are, what a pick and a
 * change cost with 1,000. The figures of docs/adr/0016-balancing.md.
 *   npx node bench/hash-choices.ts
 */
// Not by the room's door: the ring stands inside a choice, whose bound would hide its shares.
import { upstreamKey } from "../src/routing/index.ts";
import { BackendState } from "../src/upstream/backend-state.ts";
import { hash32, mix32 } from "../src/routing/index.ts";
import { HashRing } from "../src/upstream/hash-ring.ts";

const KEYS = 100_000;
const FEW = 20;
const MANY = 1_000;
const RUNS = 7;
const KEY_TEXTS = Array.from({ length: KEYS }, (_, n) => `user-${n}`);

/** From backends to what chooses among them. */
type Build = (backends: readonly BackendState[]) => Chooser;
interface Chooser {
  readonly pick: (key: string) => BackendState | undefined;
  /** The same for other backends, using what is there. */
  readonly change: Build;
}

function ring(backends: readonly BackendState[]): Chooser {
  const points = new HashRing();
  const change = (next: readonly BackendState[]): Chooser => {
    points.replace(next);
    return { pick: (key) => points.ownerAt(points.placeOf(key)), change };
  };
  return change(backends);
}

/** Every backend fills a table of a prime size by its own permutation, in turns (Eisenbud et al., NSDI 2016, 3.4). */
function maglev(size: number): Build {
  const build: Build = (backends) => {
    const sorted = backends.toSorted((a, b) => (a.backend.id < b.backend.id ? -1 : 1));
    const table = new Int32Array(size).fill(-1);
    const skips = sorted.map(({ backend }) => (hash32(backend.id, 2) % (size - 1)) + 1);
    const next = sorted.map(({ backend }) => hash32(backend.id, 1) % size);
    for (let filled = 0; filled < size; ) {
      for (let n = 0; n < sorted.length && filled < size; n++) {
        let place = next[n] ?? 0;
        while (table[place] !== -1) place = (place + (skips[n] ?? 1)) % size;
        table[place] = n;
        next[n] = (place + (skips[n] ?? 1)) % size;
        filled++;
      }
    }
    return { pick: (key) => sorted[table[hash32(key) % size] ?? 0], change: build };
  };
  return build;
}

/** Of all backends the one whose hash with the key is the highest. */
function rendezvous(backends: readonly BackendState[]): Chooser {
  const seeds = Uint32Array.from(backends, ({ backend }) => hash32(backend.id));
  const pick = (key: string): BackendState | undefined => {
    const hash = hash32(key);
    let best = 0;
    let most = -1;
    for (let n = 0; n < seeds.length; n++) {
      const score = mix32(hash ^ (seeds[n] ?? 0));
      if (score > most) {
        most = score;
        best = n;
      }
    }
    return backends[best];
  };
  return { pick, change: rendezvous };
}

function backendsOf(count: number): readonly BackendState[] {
  return Array.from({ length: count }, (_, n) => {
    const podUid = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
    const address = `10.0.${n >> 8}.${n & 255}`;
    const endpoint = { address, port: 80, podUid, ready: true, serving: true, terminating: false };
    return new BackendState(upstreamKey("apps", "chat", 80), endpoint, 0);
  });
}

function homes({ pick }: Chooser): readonly (BackendState | undefined)[] {
  return KEY_TEXTS.map((key) => pick(key));
}

/** Of keys whose backend stays, and of all: how many moved when one left, on the average of each leaving in turn. */
function moved(build: Build): { readonly needless: number; readonly all: number } {
  const few = backendsOf(FEW);
  const before = homes(build(few));
  let needless = 0;
  let all = 0;
  for (const gone of few) {
    const after = homes(build(few).change(few.filter((backend) => backend !== gone)));
    for (const [n, home] of after.entries()) {
      if (home === before[n]) continue;
      all++;
      if (before[n] !== gone) needless++;
    }
  }
  return { needless: needless / FEW / KEYS, all: all / FEW / KEYS };
}

/** The largest share in means. */
function largest(build: Build, count: number): number {
  const shares = Map.groupBy(homes(build(backendsOf(count))), (home) => home);
  return (Math.max(...[...shares.values()].map(({ length }) => length)) * count) / KEYS;
}

function medianMs(run: () => void): number {
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return times.toSorted((a, b) => a - b)[RUNS >> 1] ?? 0;
}

function row(build: Build): Record<string, string> {
  const many = backendsOf(MANY);
  const without = many.slice(0, -1);
  const built = build(many);
  const { needless, all } = moved(build);
  return {
    "moved, 1 of 20 gone": `${(all * 100).toFixed(2)} %`,
    "of them needless": `${(needless * 100).toFixed(2)} %`,
    "largest share of 20": largest(build, FEW).toFixed(2),
    "largest share of 1,000": largest(build, MANY).toFixed(2),
    "pick of 1,000, ns": ((medianMs(() => void homes(built)) * 1e6) / KEYS).toFixed(0),
    "built for 1,000, ms": medianMs(() => void build(many)).toFixed(1),
    "one goes and comes back, ms each": (medianMs(() => void built.change(without).change(many)) / 2).toFixed(2),
  };
}

console.table({
  "ring, 128 points": row(ring),
  "Maglev, table of 65,537": row(maglev(65_537)),
  "Maglev, table of 1,000,003": row(maglev(1_000_003)),
  rendezvous: row(rendezvous),
});
