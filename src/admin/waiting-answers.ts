import type { Fault } from "./fault.ts";
import type { DrainView, Operations } from "./operations.ts";

/** Answers that wait at once, at most: each holds a connection, and probes need some too. */
const MAX_WAITING = 64;

/** Takes an answer that is ready. */
export type Reply = (outcome: { readonly body: object } | { readonly fault: Fault }) => void;

/**
 * Answers that come when a drain is over. Each drain is asked once, however many wait for it: whoever goes away leaves
 * nothing behind.
 */
export class WaitingAnswers {
  readonly #operations: Operations;
  readonly #waiting = new Map<string, Set<Reply>>();
  #count = 0;

  constructor(operations: Operations) {
    this.#operations = operations;
  }

  /** Calls `reply` once, now or later. The function that is given back calls that off. */
  add({ id }: DrainView, reply: Reply): () => void {
    if (this.#count >= MAX_WAITING) {
      const message = `${MAX_WAITING} requests wait already; the drain goes on, GET /v1/drains shows it`;
      reply({ fault: { code: "too_many_waiting", message } });
      return () => {};
    }
    const waiting = this.#waiting.get(id) ?? this.#ask(id);
    waiting.add(reply);
    this.#count += 1;
    return () => {
      if (waiting.delete(reply)) this.#count -= 1;
    };
  }

  /** Answers all that wait: nobody will be here to tell them. */
  endAll(): void {
    const message = "the process ends before the drain was over; its tunnels are closed with it";
    for (const id of this.#waiting.keys()) this.#reply(id, { fault: { code: "process_ends", message } });
  }

  #ask(id: string): Set<Reply> {
    const waiting = new Set<Reply>();
    this.#waiting.set(id, waiting);
    this.#operations.whenOver(id).then(
      (drain) => this.#reply(id, drain === undefined ? { fault: GONE } : { body: drain }),
      () => this.#reply(id, { fault: GONE }),
    );
    return waiting;
  }

  #reply(id: string, outcome: Parameters<Reply>[0]): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    this.#count -= waiting.size;
    const replies = [...waiting];
    waiting.clear();
    for (const reply of replies) reply(outcome);
  }
}

const GONE: Fault = { code: "no_such_drain", message: "the drain is over, and nothing is known of it any more" };
