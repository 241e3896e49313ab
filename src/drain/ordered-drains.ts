import type { TimerHandle } from "../relay/index.ts";
import { Drain, type DrainOptions } from "./drain.ts";
import { Pacer, type PacerSurroundings } from "./pacer.ts";
import type { DrainableTunnel, DrainFacts, DrainTarget, CloseTerms, Pace } from "./types.ts";

/** So many orders may be in force at once: each of them looks at every tunnel that opens or ends. */
const MOST_ORDERS = 64;

/** The id of the drain of the whole process. */
export const PROCESS_DRAIN = "process";
const SHUTDOWN_DRAIN = "shutdown";

export interface OrderedDrainsOptions extends PacerSurroundings {
  /** Live tunnels, closing ones included. */
  readonly tunnels: Iterable<DrainableTunnel>;
  /** Takes a target out of the choice of backends, and puts it back. */
  readonly backends: { cordon(target: string): void; uncordon(target: string): void };
}

/** How fast, and with which words. */
export interface Orders extends Pace {
  /** What clients are told; backends hear 1001. */
  readonly closeCode: number;
  readonly closeReason: string;
}

export interface ProcessOrders extends Orders {
  /** New tunnels are accepted so long; they are closed with the others. */
  readonly graceMs: number;
}

interface Ordered {
  readonly drain: Drain;
  readonly pacer: Pacer;
  /** Of tunnels that open while it lasts, those that are meant. */
  readonly includes: (tunnel: DrainableTunnel) => boolean;
  /** For whoever waits; undefined = nobody does. */
  over: PromiseWithResolvers<DrainFacts> | undefined;
}

interface NewDrain extends Pick<DrainOptions, "target" | "pace" | "terms" | "isLasting">, Pick<Ordered, "includes"> {
  readonly notDoneBeforeMs?: number | undefined;
}

interface LastingOrder extends Pick<NewDrain, "target" | "includes" | "notDoneBeforeMs"> {
  readonly orders: Orders;
}

/** Drains that someone asked for: an operator, or the process's own end. */
export class OrderedDrains {
  readonly #options: OrderedDrainsOptions;
  readonly #drains = new Map<string, Ordered>();
  #closings = 0;
  #processSinceMs: number | undefined = undefined;
  #grace: TimerHandle | undefined = undefined;
  #isRefusing = false;

  constructor(options: OrderedDrainsOptions) {
    this.#options = options;
  }

  /** How long the process has been drained by an order, in milliseconds; undefined = it is not. */
  get processDrainedForMs(): number | undefined {
    return this.#processSinceMs === undefined ? undefined : this.#options.now() - this.#processSinceMs;
  }

  /** New tunnels are to be refused: the process is drained, and the grace for new ones is over. */
  get isRefusing(): boolean {
    return this.#isRefusing;
  }

  /** Those in force. */
  *facts(): Iterable<DrainFacts> {
    for (const { drain } of this.#drains.values()) yield drain.facts;
  }

  /** Closes these tunnels; `text` says which they are. Undefined = too many orders are in force. */
  close(tunnels: readonly DrainableTunnel[], orders: Orders, text: string): DrainFacts | undefined {
    if (this.#drains.size >= MOST_ORDERS) return undefined;
    this.#closings += 1;
    const target = { ...NO_NAMES, id: `close/${this.#closings}`, text };
    return this.#begin({ ...drainBy(orders), target, isLasting: false, includes: () => false }, tunnels);
  }

  /**
   * Takes a backend (`address:port`) out of the choice and closes its tunnels, also those that open yet; again: new orders.
   * Holds until it is stopped. Undefined = too many orders are in force.
   */
  drainBackend(target: string, orders: Orders): DrainFacts | undefined {
    const id = `backend/${target}`;
    if (!this.#drains.has(id) && this.#drains.size >= MOST_ORDERS) return undefined;
    this.#options.backends.cordon(target);
    const isThere = ({ context }: DrainableTunnel): boolean => context.lease.backend.target === target;
    return this.#beginOrOrder({ target: { ...NO_NAMES, id, backend: target }, orders, includes: isThere });
  }

  /**
   * Closes every tunnel of the process, also those that open yet; again: new orders. Holds until it is stopped, and is not
   * done before the grace is over. When the process ends anyway: the drain of that.
   */
  drainProcess(orders: ProcessOrders): DrainFacts {
    const { now, wheel } = this.#options;
    const shutdown = this.#drains.get(SHUTDOWN_DRAIN);
    if (shutdown !== undefined) return shutdown.drain.facts;
    this.#processSinceMs ??= now();
    wheel.cancel(this.#grace);
    const graceEndsMs = this.#processSinceMs + orders.graceMs;
    this.#isRefusing = graceEndsMs <= now();
    if (!this.#isRefusing) this.#grace = wheel.schedule(graceEndsMs - now(), () => this.#refuse());
    const target = { ...NO_NAMES, id: PROCESS_DRAIN };
    return this.#beginOrOrder({ target, orders, includes: everyone, notDoneBeforeMs: graceEndsMs });
  }

  /** The process ends: closes every tunnel, also those that open yet. Every other order is called off. */
  shutDown(withinMs: number): void {
    for (const id of this.#drains.keys()) this.stop(id);
    const target = { ...NO_NAMES, id: SHUTDOWN_DRAIN, reason: "shutdown" as const };
    const terms: CloseTerms = { cause: "proxy_shutdown", words: undefined };
    const pace = { withinMs, perSecond: 0 };
    this.#begin({ target, pace, terms, isLasting: true, includes: everyone }, [...this.#options.tunnels]);
  }

  /** Calls an order off; who has been told to close goes. Undefined = there is none of that id. */
  stop(id: string): DrainFacts | undefined {
    const ordered = this.#drains.get(id);
    if (ordered === undefined) return undefined;
    const { drain, pacer } = ordered;
    if (id === PROCESS_DRAIN) this.#acceptAgain();
    const { backend } = drain.facts;
    if (backend !== undefined) this.#options.backends.uncordon(backend);
    pacer.stop(drain);
    return drain.facts;
  }

  /** Resolves when nobody is left in it, its time is up, or it is stopped; undefined = there is none of that id. */
  whenOver(id: string): Promise<DrainFacts> | undefined {
    const ordered = this.#drains.get(id);
    if (ordered === undefined) return undefined;
    if (ordered.drain.state !== "running") return Promise.resolve(ordered.drain.facts);
    ordered.over ??= Promise.withResolvers();
    return ordered.over.promise;
  }

  opened(tunnel: DrainableTunnel): void {
    if (this.#drains.size === 0) return;
    for (const { drain, pacer, includes } of this.#drains.values()) {
      if (!includes(tunnel)) continue;
      drain.add([tunnel], this.#options.now());
      pacer.changed(drain);
    }
  }

  ended(tunnel: DrainableTunnel): void {
    if (this.#drains.size === 0) return;
    for (const { drain, pacer } of this.#drains.values()) if (drain.has(tunnel)) pacer.gone(drain, tunnel);
  }

  #beginOrOrder({ target, orders, includes, notDoneBeforeMs }: LastingOrder): DrainFacts {
    const known = this.#drains.get(target.id);
    const { pace, terms } = drainBy(orders);
    if (known === undefined) {
      const tunnels = [...this.#options.tunnels].filter(includes);
      return this.#begin({ target, pace, terms, isLasting: true, includes, notDoneBeforeMs }, tunnels);
    }
    const { drain, pacer } = known;
    drain.notDoneBeforeMs = notDoneBeforeMs ?? drain.notDoneBeforeMs;
    drain.order(pace, terms, this.#options.now());
    pacer.setRate(pace.perSecond);
    pacer.changed(drain);
    return drain.facts;
  }

  #begin({ includes, notDoneBeforeMs, ...what }: NewDrain, tunnels: readonly DrainableTunnel[]): DrainFacts {
    const { now, random, wheel } = this.#options;
    const { id } = what.target;
    const drain = new Drain({ ...what, nowMs: now(), random, tickMs: wheel.tickMs });
    const pacer = new Pacer(this.#options, () => this.#settled(ordered));
    const ordered: Ordered = { drain, pacer, includes, over: undefined };
    pacer.setRate(what.pace.perSecond);
    this.#drains.set(id, ordered);
    drain.notDoneBeforeMs = notDoneBeforeMs ?? drain.notDoneBeforeMs;
    drain.add(tunnels, now());
    pacer.begin(drain);
    return drain.facts;
  }

  #settled(ordered: Ordered): void {
    const { drain, pacer, over } = ordered;
    if (!pacer.has(drain)) this.#drains.delete(drain.id);
    ordered.over = undefined;
    over?.resolve(drain.facts);
  }

  /** The grace of the process's drain is over. */
  #refuse(): void {
    this.#isRefusing = true;
    const process = this.#drains.get(PROCESS_DRAIN);
    if (process?.drain.isEmpty === true) process.pacer.changed(process.drain);
  }

  #acceptAgain(): void {
    this.#processSinceMs = undefined;
    this.#isRefusing = false;
    this.#options.wheel.cancel(this.#grace);
  }
}

const NO_NAMES: Omit<DrainTarget, "id"> = {
  reason: "operator",
  ruleId: undefined,
  upstream: undefined,
  backend: undefined,
  text: undefined,
};

function everyone(): boolean {
  return true;
}

function drainBy({ withinMs, perSecond, closeCode, closeReason }: Orders): { pace: Pace; terms: CloseTerms } {
  const words = { code: closeCode, reason: closeReason };
  return { pace: { withinMs, perSecond }, terms: { cause: "admin", words } };
}
