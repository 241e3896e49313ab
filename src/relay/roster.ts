/** Something that can stand in one roster. */
export interface RosterMember {
  /** Where it stands; -1 = nowhere. Only the roster writes it. */
  rosterPlace: number;
}

/** Who is there at the moment. */
export interface Members<Member> extends Iterable<Member> {
  readonly size: number;
  has(member: Member): boolean;
}

/**
 * Objects that come and go by the thousand each second. A Set does for everything else: under such traffic its tables
 * are made anew all the time, each dead one points to the next, and once V8 has moved one to its old generation all that
 * ever stood in a later one stays in memory until the next full collection.
 *
 * Adding and deleting cost the same however many there are. The order is nobody's. Whoever walks it may delete what he
 * has been given; what is added meanwhile is not seen.
 */
export class Roster<Member extends RosterMember> implements Members<Member> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  has(member: Member): boolean {
    return this.#members[member.rosterPlace] === member;
  }

  /** A member must not be in another roster. */
  add(member: Member): void {
    if (this.has(member)) return;
    member.rosterPlace = this.#members.length;
    this.#members.push(member);
  }

  delete(member: Member): void {
    if (!this.has(member)) return;
    const last = this.#members.pop() as Member;
    if (last !== member) {
      this.#members[member.rosterPlace] = last;
      last.rosterPlace = member.rosterPlace;
    }
    member.rosterPlace = -1;
  }

  /** From the last to the first: a deleted one is replaced by one that was seen before. */
  *[Symbol.iterator](): IterableIterator<Member> {
    for (let place = this.#members.length - 1; place >= 0; place -= 1) {
      const member = this.#members[place];
      if (member !== undefined) yield member;
    }
  }
}
