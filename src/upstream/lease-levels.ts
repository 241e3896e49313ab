import type { BackendState } from "./backend-state.ts";

/** Backends that carry the same number of leases, in the chain of all such levels. */
export interface Level {
  leases: number;
  readonly members: BackendState[];
  lower: Level | undefined;
  higher: Level | undefined;
}

/** Where a member stands. */
interface Place {
  level: Level;
  index: number;
}

/**
 * Backends ranked by how many leases they carry: a chain of levels, each with all that carry the same number. A lease
 * more or less moves a backend to the level beside its own, so keeping the order costs the same for 3 and for 1,000.
 */
export class LeaseLevels {
  #lowest: Level | undefined = undefined;
  readonly #places = new Map<BackendState, Place>();
  #leases = 0;

  /** The fewest leases, with all that carry so few; `higher` leads on. Undefined = no members. */
  get lowest(): Level | undefined {
    return this.#lowest;
  }

  /** Leases of all members. */
  get leases(): number {
    return this.#leases;
  }

  has(backend: BackendState): boolean {
    return this.#places.has(backend);
  }

  /** These are the members from now on, with the leases they carry. */
  replace(members: readonly BackendState[]): void {
    this.#places.clear();
    this.#lowest = undefined;
    this.#leases = 0;
    let top: Level | undefined;
    for (const member of members.toSorted((a, b) => a.leases - b.leases)) {
      if (top?.leases !== member.leases) top = this.#open(member.leases, top, undefined);
      this.#places.set(member, { level: top, index: top.members.push(member) - 1 });
      this.#leases += member.leases;
    }
  }

  /** The backend has one lease more than before. */
  raised(backend: BackendState): void {
    const place = this.#places.get(backend);
    if (place === undefined) return;
    this.#leases++;
    const { level } = place;
    const next = level.higher?.leases === level.leases + 1 ? level.higher : undefined;
    // Alone, and nobody to meet: the level goes with it.
    if (next === undefined && level.members.length === 1) level.leases++;
    else this.#move(backend, place, next ?? this.#open(level.leases + 1, level, level.higher));
  }

  /** The backend has one lease less than before. */
  lowered(backend: BackendState): void {
    const place = this.#places.get(backend);
    if (place === undefined) return;
    this.#leases--;
    const { level } = place;
    const next = level.lower?.leases === level.leases - 1 ? level.lower : undefined;
    if (next === undefined && level.members.length === 1) level.leases--;
    else this.#move(backend, place, next ?? this.#open(level.leases - 1, level.lower, level));
  }

  #open(leases: number, lower: Level | undefined, higher: Level | undefined): Level {
    const level: Level = { leases, members: [], lower, higher };
    if (lower === undefined) this.#lowest = level;
    else lower.higher = level;
    if (higher !== undefined) higher.lower = level;
    return level;
  }

  #move(backend: BackendState, place: Place, to: Level): void {
    const { level, index } = place;
    const last = level.members.pop();
    if (last !== undefined && last !== backend) {
      level.members[index] = last;
      const moved = this.#places.get(last);
      if (moved !== undefined) moved.index = index;
    }
    if (level.members.length === 0) this.#close(level);
    place.level = to;
    place.index = to.members.push(backend) - 1;
  }

  #close({ lower, higher }: Level): void {
    if (lower === undefined) this.#lowest = higher;
    else lower.higher = higher;
    if (higher !== undefined) higher.lower = lower;
  }
}
