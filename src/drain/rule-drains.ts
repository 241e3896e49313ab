import type { TimerHandle } from "../relay/index.ts";
import type { CompiledRule, RuleId } from "../routing/index.ts";
import type { Backend, Departure, DepartureListener } from "../upstream/index.ts";
import { Drain } from "./drain.ts";
import { Pacer, type PacerSurroundings } from "./pacer.ts";
import type { DrainableTunnel, DrainFacts, DrainReason, CloseTerms } from "./types.ts";

/**
 * What is not said outright is believed after so long: slices are reshuffled, Services are recreated, and a probe fails
 * once.
 */
const GRACE_MS = 5_000;

/** A rule as its live tunnels follow it: the current one of its id, or the last there was. */
export type FollowedRule = Pick<CompiledRule, "policy" | "backends">;

export interface RuleDrainsOptions extends PacerSurroundings {
  /** Live tunnels, closing ones included. */
  readonly tunnels: Iterable<DrainableTunnel>;
  readonly rules: { get(id: RuleId): FollowedRule | undefined };
  /** How many tunnels a backend carries; not given = they are looked for among all. */
  readonly tunnelsOf?: (backend: Backend) => number;
}

interface Leaving {
  readonly departure: Departure;
  readonly sinceMs: number;
  readonly grace: TimerHandle | undefined;
}

/** The drains of one rule; they share its rate. */
interface DrainingRule {
  readonly pacer: Pacer;
  readonly byBackend: Map<Backend, Drain>;
}

/**
 * Takes tunnels off backends as the rules say. Looks again, at what stands then, whenever a backend leaves or comes back,
 * a rule changes or a tunnel opens; one drain for each rule and backend that has tunnels to lose.
 */
export class RuleDrains {
  readonly #options: RuleDrainsOptions;
  readonly #leaving = new Map<Backend, Leaving>();
  readonly #rules = new Map<RuleId, DrainingRule>();
  #begun = 0;

  constructor(options: RuleDrainsOptions) {
    this.#options = options;
  }

  /** Those under way. */
  *facts(): Iterable<DrainFacts> {
    for (const { byBackend } of this.#rules.values()) for (const drain of byBackend.values()) yield drain.facts;
  }

  /** For the registry: a backend's tunnels should leave it, or need not any more. */
  readonly departure: DepartureListener = (backend, departure) => {
    const { wheel, now } = this.#options;
    wheel.cancel(this.#leaving.get(backend)?.grace);
    if (departure === undefined) this.#leaving.delete(backend);
    else {
      const grace =
        departure === "terminating" ? undefined : wheel.schedule(GRACE_MS, () => this.#lookAtBackend(backend));
      this.#leaving.set(backend, { departure, sinceMs: now(), grace });
    }
    this.#lookAtBackend(backend);
  };

  /** The backend is neither listed nor leased any more. */
  forgotten(backend: Backend): void {
    this.#options.wheel.cancel(this.#leaving.get(backend)?.grace);
    this.#leaving.delete(backend);
  }

  /** What these rules say of drains, or of their upstreams' weights, may be something else than before. */
  rulesChanged(ids: ReadonlySet<RuleId>): void {
    for (const id of ids) this.#followOrders(id);
    this.#take(({ context }) => ids.has(context.ruleId));
  }

  opened(tunnel: DrainableTunnel): void {
    const { ruleId, lease } = tunnel.context;
    const reason = this.#reasonFor(ruleId, lease.backend);
    if (reason !== undefined) this.#drain(reason, ruleId, lease.backend, [tunnel]);
  }

  ended(tunnel: DrainableTunnel): void {
    const { ruleId, lease } = tunnel.context;
    if (this.#rules.size === 0) return;
    const rule = this.#rules.get(ruleId);
    const drain = rule?.byBackend.get(lease.backend);
    if (drain !== undefined) rule?.pacer.gone(drain, tunnel);
  }

  #lookAtBackend(backend: Backend): void {
    for (const [id, { pacer, byBackend }] of this.#rules) {
      const drain = byBackend.get(backend);
      if (drain !== undefined && this.#reasonFor(id, backend) === undefined) pacer.stop(drain);
    }
    // Under a storm of endpoints that come and go, most of those that go carry nothing.
    if (this.#hasGone(backend) && this.#options.tunnelsOf?.(backend) !== 0)
      this.#take(({ context }) => context.lease.backend === backend);
  }

  /** The rule's drains go on as it says now, or stop. */
  #followOrders(id: RuleId): void {
    const rule = this.#options.rules.get(id);
    const draining = this.#rules.get(id);
    if (rule === undefined || draining === undefined) return;
    draining.pacer.setRate(rule.policy.drain.perSecond);
    for (const [backend, drain] of draining.byBackend) {
      if (this.#reasonFor(id, backend) === undefined) draining.pacer.stop(drain);
      else {
        drain.order(rule.policy.drain, termsOf(rule), this.#options.now());
        draining.pacer.changed(drain);
      }
    }
  }

  /** Puts those of the picked tunnels that should leave into the drain of their rule and backend. */
  #take(isPicked: (tunnel: DrainableTunnel) => boolean): void {
    const found = new Map<RuleId, Map<Backend, DrainableTunnel[]>>();
    for (const tunnel of this.#options.tunnels) {
      if (!isPicked(tunnel)) continue;
      const { ruleId, lease } = tunnel.context;
      const byBackend = found.get(ruleId) ?? new Map<Backend, DrainableTunnel[]>();
      const those = byBackend.get(lease.backend);
      if (those === undefined) byBackend.set(lease.backend, [tunnel]);
      else those.push(tunnel);
      found.set(ruleId, byBackend);
    }
    for (const [id, byBackend] of found) {
      for (const [backend, tunnels] of byBackend) {
        const reason = this.#reasonFor(id, backend);
        if (reason !== undefined) this.#drain(reason, id, backend, tunnels);
      }
    }
  }

  #drain(reason: DrainReason, ruleId: RuleId, backend: Backend, tunnels: readonly DrainableTunnel[]): void {
    const { rules, now, random, wheel } = this.#options;
    const rule = rules.get(ruleId);
    if (rule === undefined) return;
    const { pacer, byBackend } = this.#drainingRule(ruleId, rule);
    const known = byBackend.get(backend);
    if (known !== undefined) {
      known.add(tunnels, now());
      pacer.changed(known);
      return;
    }
    this.#begun += 1;
    const drain = new Drain({
      target: {
        id: `auto/${this.#begun}`,
        reason,
        ruleId,
        upstream: backend.upstream,
        backend: backend.target,
        text: undefined,
      },
      pace: rule.policy.drain,
      terms: termsOf(rule),
      isLasting: false,
      nowMs: now(),
      random,
      tickMs: wheel.tickMs,
    });
    drain.add(tunnels, now());
    byBackend.set(backend, drain);
    pacer.begin(drain);
  }

  #drainingRule(id: RuleId, rule: FollowedRule): DrainingRule {
    const known = this.#rules.get(id);
    if (known !== undefined) {
      // Between two drains nobody follows the rule's edits.
      known.pacer.setRate(rule.policy.drain.perSecond);
      return known;
    }
    const byBackend = new Map<Backend, Drain>();
    const pacer = new Pacer(this.#options, (ended) => {
      if (pacer.has(ended)) return;
      for (const [backend, drain] of byBackend) if (drain === ended) byBackend.delete(backend);
      if (byBackend.size === 0) this.#forgetRule(id, made);
    });
    pacer.setRate(rule.policy.drain.perSecond);
    const made: DrainingRule = { pacer, byBackend };
    this.#rules.set(id, made);
    return made;
  }

  /** None of its drains is left. Its rate holds for the next one as well, if that comes at once. */
  #forgetRule(id: RuleId, rule: DrainingRule): void {
    const { wheel, now } = this.#options;
    const waitMs = rule.pacer.forgottenAtMs - now();
    if (waitMs <= 0) this.#rules.delete(id);
    else
      wheel.schedule(
        waitMs,
        () => rule.byBackend.size === 0 && this.#rules.get(id) === rule && this.#forgetRule(id, rule),
      );
  }

  /** Why tunnels of this rule should leave this backend now; undefined = they may stay. */
  #reasonFor(id: RuleId, backend: Backend): DrainReason | undefined {
    const rule = this.#options.rules.get(id);
    if (rule === undefined) return undefined;
    const { onBackendRemoval, onUnready, onZeroWeight } = rule.policy.drain;
    const departure = this.#leaving.get(backend)?.departure;
    if (departure !== undefined && this.#hasGone(backend)) {
      if ((departure === "unready" ? onUnready : onBackendRemoval) === "Close") return departure;
    }
    return onZeroWeight === "Close" && !hasShare(rule, backend) ? "unweighted" : undefined;
  }

  /** It leaves, and that is believed. */
  #hasGone(backend: Backend): boolean {
    const leaving = this.#leaving.get(backend);
    if (leaving === undefined) return false;
    return leaving.grace === undefined || this.#options.now() - leaving.sinceMs >= GRACE_MS;
  }
}

function hasShare({ backends }: FollowedRule, { upstream }: Backend): boolean {
  return backends.some((ref) => ref.upstream === upstream && ref.weight > 0);
}

function termsOf({ policy }: FollowedRule): CloseTerms {
  return { cause: "drained", words: { code: policy.drain.closeCode, reason: policy.drain.closeReason } };
}
