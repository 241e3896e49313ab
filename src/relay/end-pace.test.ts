import { describe, expect, test } from "vitest";
import { EndPace } from "./end-pace.ts";

class Loop {
  nowMs = 0;
  readonly served: number[] = [];
  #callbacks: (() => void)[] = [];
  readonly pace = new EndPace({ now: () => this.nowMs, nextTurn: (callback) => this.#callbacks.push(callback) });

  /** An end comes that takes so long to serve. */
  end(id: number, ms = 0): void {
    const serve = (): void => {
      this.served.push(id);
      this.nowMs += ms;
    };
    if (this.pace.takeTurn()) serve();
    else this.pace.later(serve);
  }

  /** Returns how many were served in this turn. */
  turn(): number {
    const before = this.served.length;
    const due = this.#callbacks;
    this.#callbacks = [];
    for (const callback of due) callback();
    return this.served.length - before;
  }

  get isResting(): boolean {
    return this.#callbacks.length === 0;
  }
}

describe("ends of sockets", () => {
  test("a few in a turn are served at once, and so are a few in the next", () => {
    const loop = new Loop();
    for (const id of [1, 2, 3]) loop.end(id);
    expect(loop.served).toEqual([1, 2, 3]);
    loop.turn();
    for (let id = 4; id < 20; id++) loop.end(id);
    expect(loop.served).toHaveLength(19);
    loop.turn();
    expect(loop.isResting).toBe(true);
  });

  test("of thousands in one turn the first are served at once, the others in slices of 2 ms, all in their order", () => {
    const loop = new Loop();
    for (let id = 0; id < 9_000; id++) loop.end(id, 0.1);
    expect(loop.served).toHaveLength(16);
    const counts: number[] = [];
    while (!loop.isResting) counts.push(loop.turn());
    expect(Math.max(...counts)).toBeLessThanOrEqual(21);
    expect(loop.served).toEqual(Array.from({ length: 9_000 }, (_, id) => id));
    expect(loop.pace.size).toBe(0);
  });

  test("one that comes while others wait waits behind them", () => {
    const loop = new Loop();
    for (let id = 0; id < 40; id++) loop.end(id, 1);
    loop.turn();
    loop.end(40, 1);
    while (!loop.isResting) loop.turn();
    expect(loop.served).toEqual(Array.from({ length: 41 }, (_, id) => id));
  });

  test("one that takes longer than a slice is alone in its turn", () => {
    const loop = new Loop();
    for (let id = 0; id < 20; id++) loop.end(id, 5);
    expect([loop.turn(), loop.turn()]).toEqual([1, 1]);
  });

  test("one that fails keeps nobody else from being served", () => {
    const loop = new Loop();
    for (let id = 0; id < 16; id++) loop.end(id);
    loop.pace.later(() => {
      throw new Error("a fault of ours");
    });
    loop.end(17);
    expect(() => loop.turn()).toThrow("a fault of ours");
    while (!loop.isResting) loop.turn();
    expect(loop.served.at(-1)).toBe(17);
  });
});
