import type { TimerHandle } from "../relay/index.ts";
import type { ActiveHealth } from "../routing/index.ts";
import { parseUpstreamKey } from "../routing/index.ts";
import type { Backend, ProbeVerdicts } from "../upstream/index.ts";
import { probe, type ProbeSurroundings } from "./probe.ts";
import type { ProbeTurn, ProbeTurns } from "./probe-turns.ts";
import type { HealthObserver, ProbeAnswer } from "./types.ts";

/** Of an interval: probes that began together, or of several replicas, drift apart. */
const JITTER = 0.1;

export interface ProbingSurroundings extends ProbeSurroundings {
  readonly turns: ProbeTurns;
  readonly verdicts: Pick<ProbeVerdicts, "set">;
  readonly observer: HealthObserver;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
}

/** One backend under one kind of probe: asked again and again, never twice at once. */
export class ProbedBackend {
  readonly backend: Backend;
  /** Upstreams that list it as ready. */
  holders = 0;
  readonly #active: ActiveHealth;
  readonly #around: ProbingSurroundings;
  #isFailing: boolean;
  /** Answers in a row that speak against what is held of it. */
  #contrary = 0;
  #timer: TimerHandle | undefined;
  #turn: ProbeTurn | undefined;
  #giveUp: (() => void) | undefined;

  /** @param known what is held of it already, from a rule that asked the same. */
  constructor(backend: Backend, active: ActiveHealth, known: "failing" | "well", around: ProbingSurroundings) {
    this.backend = backend;
    this.#active = active;
    this.#around = around;
    this.#isFailing = known === "failing";
    if (this.#isFailing) around.verdicts.set(active.key, backend.id, "failing");
    // Anywhere in the first interval, so that the probes of a thousand that came at once do not.
    this.#askIn(around.random() * active.intervalMs);
  }

  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Nobody asks any more, and nothing is held against it. */
  stop(): void {
    this.#around.wheel.cancel(this.#timer);
    this.#giveUp?.();
    this.#turn?.end();
    if (this.#isFailing) this.#around.verdicts.set(this.#active.key, this.backend.id, "well");
    this.#isFailing = false;
  }

  #askIn(delayMs: number): void {
    this.#timer = this.#around.wheel.schedule(delayMs, () => {
      const { namespace } = parseUpstreamKey(this.backend.upstream);
      this.#turn = this.#around.turns.take(namespace, () => this.#ask());
    });
  }

  #ask(): void {
    const { now, random } = this.#around;
    const startedMs = now();
    this.#giveUp = probe(this.backend, this.#active, this.#around, (answer) => {
      this.#giveUp = undefined;
      this.#turn?.end();
      this.#turn = undefined;
      this.#note(answer);
      const periodMs = this.#active.intervalMs * (1 + JITTER * (2 * random() - 1));
      this.#askIn(periodMs - (now() - startedMs));
    });
  }

  #note(answer: ProbeAnswer): void {
    const { observer, verdicts } = this.#around;
    const { key, type, unhealthyAfter, healthyAfter } = this.#active;
    observer.probed(type, answer.result);
    const isGood = answer.result === "success";
    this.#contrary = isGood === this.#isFailing ? this.#contrary + 1 : 0;
    if (this.#contrary < (isGood ? healthyAfter : unhealthyAfter)) return;
    this.#contrary = 0;
    this.#isFailing = !isGood;
    const verdict = isGood ? "well" : "failing";
    verdicts.set(key, this.backend.id, verdict);
    observer.verdict({ verdict, backend: this.backend, active: this.#active, answer });
  }
}
