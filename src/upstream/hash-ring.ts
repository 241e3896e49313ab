import type { BackendState } from "./backend-state.ts";
import { hash32, mix32 } from "../routing/index.ts";

/** Points of each backend on the ring: a share differs from the mean by about 1/sqrt(128) = 9 %. */
const POINTS = 128;
/** A hash and an index side by side in one number that is exact: 32 and 21 bits. */
const INDICES = 2 ** 21;

/** Hashes, ascending, and the index of the owner of each. */
interface Points {
  readonly hashes: Uint32Array;
  readonly owners: Uint32Array;
}

/**
 * A circle of 2^32 places on which every backend has its points, by its identity alone: the same in every replica, for
 * any order in which backends came. A backend more or less changes whose a place is only where its own points are.
 */
export class HashRing {
  #backends: readonly BackendState[] = [];
  #points: Points = pointsFor(0);

  /** Points, of all backends together. */
  get size(): number {
    return this.#points.hashes.length;
  }

  /** These have points from now on. The points of those that stay are copied, those of the others made and sorted. */
  replace(backends: readonly BackendState[]): void {
    const indices = new Map(backends.map((backend, index) => [backend, index]));
    const known = new Set(this.#backends);
    const stays = Int32Array.from(this.#backends, (backend) => indices.get(backend) ?? -1);
    const newcomers = backends.filter((backend) => !known.has(backend)).toSorted(byId);
    const fresh = pointsOf(newcomers, indices);
    this.#points = merged(kept(this.#points, stays), fresh, backends);
    this.#backends = backends;
  }

  /** The place of a key: the first point at its hash or behind. */
  placeOf(key: string): number {
    const hash = hash32(key);
    const { hashes } = this.#points;
    let low = 0;
    let high = hashes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((hashes[middle] ?? 0) < hash) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whose point it is; places go on behind the last one from the first. Undefined = the ring is empty. */
  ownerAt(place: number): BackendState | undefined {
    const { size } = this;
    return this.#backends[this.#points.owners[place < size ? place : place - size] ?? 0];
  }
}

function pointsFor(count: number): Points {
  return { hashes: new Uint32Array(count), owners: new Uint32Array(count) };
}

/** All points of these; of equal ones the first is that of the first of them. */
function pointsOf(backends: readonly BackendState[], indices: ReadonlyMap<BackendState, number>): Points {
  const packed = new Float64Array(backends.length * POINTS);
  let at = 0;
  for (const [index, { backend }] of backends.entries()) {
    // Two independent hashes: backends would have to agree in both to share all their points.
    const first = hash32(backend.id, 1);
    const stride = hash32(backend.id, 2) | 1;
    for (let n = 0; n < POINTS; n++) packed[at++] = mix32(first + Math.imul(n, stride)) * INDICES + index;
  }
  packed.sort();
  const ranks = Uint32Array.from(backends, (backend) => indices.get(backend) ?? 0);
  const points = pointsFor(packed.length);
  for (let n = 0; n < packed.length; n++) {
    const value = packed[n] ?? 0;
    points.hashes[n] = Math.floor(value / INDICES);
    points.owners[n] = ranks[value % INDICES] ?? 0;
  }
  return points;
}

/** What is left, under the indices that the owners have now; -1 = it is gone. */
function kept({ hashes, owners }: Points, stays: Int32Array): Points {
  let count = 0;
  const left = pointsFor(hashes.length);
  for (let n = 0; n < hashes.length; n++) {
    const owner = stays[owners[n] ?? 0] ?? -1;
    if (owner === -1) continue;
    left.hashes[count] = hashes[n] ?? 0;
    left.owners[count++] = owner;
  }
  return { hashes: left.hashes.subarray(0, count), owners: left.owners.subarray(0, count) };
}

function merged(one: Points, other: Points, backends: readonly BackendState[]): Points {
  const all = pointsFor(one.hashes.length + other.hashes.length);
  let next = 0;
  for (let n = 0; n < one.hashes.length; n++) {
    const hash = one.hashes[n] ?? 0;
    const owner = one.owners[n] ?? 0;
    while (next < other.hashes.length && precedes(next, hash, owner)) copy(other, next++, n + next - 1);
    copy(one, n, n + next);
  }
  for (; next < other.hashes.length; next++) copy(other, next, one.hashes.length + next);
  return all;

  function precedes(index: number, hash: number, owner: number): boolean {
    const otherHash = other.hashes[index] ?? 0;
    if (otherHash !== hash) return otherHash < hash;
    const [mine, theirs] = [backends[other.owners[index] ?? 0], backends[owner]];
    return mine !== undefined && theirs !== undefined && byId(mine, theirs) < 0;
  }

  function copy(from: Points, index: number, to: number): void {
    all.hashes[to] = from.hashes[index] ?? 0;
    all.owners[to] = from.owners[index] ?? 0;
  }
}

function byId(a: BackendState, b: BackendState): number {
  return a.backend.id < b.backend.id ? -1 : 1;
}
