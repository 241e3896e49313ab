import type { HealthSign, RuleId, UpstreamKey } from "../routing/index.ts";
import { AcceptingBackends } from "./accepting-backends.ts";
import { AffinityBook } from "./affinity-book.ts";
import { BackendChoices } from "./backend-choices.ts";
import type { FailedOutcome, LeaseKeeper } from "./backend-lease.ts";
import type { BackendState } from "./backend-state.ts";
import type { Ejections } from "./ejections.ts";
import type { BackendId, BalancedRule } from "./types.ts";

export interface UpstreamSurroundings {
  /** 0 to below 1. */
  readonly random: () => number;
  /** Of all upstreams: a backend is the same in each of them. */
  readonly ejections: Ejections;
  readonly now: () => number;
  /** Where this process runs; undefined = nobody says. */
  readonly zone: string | undefined;
  /** A release left a backend without any lease. */
  readonly onIdle: (backend: BackendState) => void;
  /** Somebody may take more than a moment ago. */
  readonly onRoom: (upstream: UpstreamKey) => void;
}

/** Backends that accept, with the ways to choose among them. */
export interface Selection {
  readonly accepting: AcceptingBackends;
  readonly choices: BackendChoices;
}

const SIGN_OF: Readonly<Record<FailedOutcome, HealthSign>> = {
  dialFailed: "DialFailure",
  badAnswer: "BadAnswer",
  endedEarly: "EarlyEnd",
};

/** What is known of one upstream; outlives the rules that name it while something holds a lease. */
export class UpstreamState implements LeaseKeeper {
  readonly key: UpstreamKey;
  /** Listed ones and those that leases still hold. */
  readonly backends = new Map<BackendId, BackendState>();
  /** All that take new tunnels, in the source's order. */
  readonly all: Selection;
  /** Those of them that are meant for our zone, where the source says for whom each is meant. */
  readonly near: Selection;
  readonly affinity: AffinityBook;
  /** All that accept are about to go: others, where there are any, are better. */
  isLastResort = false;
  /** No rule names it any more. */
  isForsaken = false;
  /** The list before this one said something: who is new in it is fresh. */
  hasBeenListed = false;
  /** When the oldest of those that accept became ready. */
  oldestReadyMs = Number.NEGATIVE_INFINITY;
  /** What rules that lead here set as `maxTunnelsPerBackend`, as far as they were asked for. */
  readonly limits = new Map<RuleId, number>();
  readonly #around: UpstreamSurroundings;

  constructor(key: UpstreamKey, around: UpstreamSurroundings) {
    this.key = key;
    this.#around = around;
    this.all = selection(around.random);
    this.near = selection(around.random);
    this.affinity = new AffinityBook(key);
  }

  /** To be called when a backend came, or may have begun or ceased to accept. */
  reviewAccepting(): void {
    const known = [...this.backends.values()];
    const ready = known.filter((backend) => backend.isAccepting);
    // When all are going, those that still serve are better than none (as kube-proxy has it, KEP-1669).
    this.isLastResort = ready.length === 0;
    const accepting = this.isLastResort ? known.filter((backend) => backend.isLastResort) : ready;
    this.all.accepting.replace(accepting);
    this.affinity.backendsChanged();
    const { zone, onRoom } = this.#around;
    this.near.accepting.replace(zone === undefined ? [] : accepting.filter((backend) => isNear(backend, zone)));
    this.oldestReadyMs = accepting.reduce((least, { readySinceMs }) => Math.min(least, readySinceMs), Infinity);
    if (accepting.length > 0) onRoom(this.key);
  }

  raised(backend: BackendState): void {
    this.all.accepting.raised(backend);
    this.near.accepting.raised(backend);
  }

  lowered(backend: BackendState): void {
    this.all.accepting.lowered(backend);
    this.near.accepting.lowered(backend);
    if (backend.isIdle) this.#around.onIdle(backend);
    this.#around.onRoom(this.key);
  }

  answered({ backend }: BackendState): void {
    if (!this.#around.ejections.isEmpty) this.#around.ejections.answered(backend.id);
  }

  failed({ backend }: BackendState, outcome: FailedOutcome, policy: BalancedRule["policy"]): void {
    const { passive } = policy.health;
    const mayEject = (): boolean => this.#mayEjectOneMore(passive.maxEjectedPercent);
    this.#around.ejections.failed(backend.id, { sign: SIGN_OF[outcome], policy: passive, mayEject });
  }

  /** The least that any rule allows one of its backends to carry; infinity = no rule says anything. */
  get limit(): number {
    return Math.min(...this.limits.values());
  }

  #mayEjectOneMore(percent: number): boolean {
    const { ejections, now } = this.#around;
    const ejected = ejections.all(now()).filter(({ id, sign }) => {
      return sign !== "DialFailure" && this.backends.get(id)?.isAccepting === true;
    }).length;
    return (ejected + 1) * 100 <= percent * this.all.accepting.list.length;
  }
}

function selection(random: () => number): Selection {
  const accepting = new AcceptingBackends();
  return { accepting, choices: new BackendChoices(accepting, random) };
}

/** The list is whole (graph/): either every endpoint that is ready says for whom it is meant, or none does. */
function isNear({ endpoint }: BackendState, zone: string): boolean {
  return endpoint?.zones?.includes(zone) === true;
}
