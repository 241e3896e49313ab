import type { PolicyRef, TunnelPolicy } from "../relay/index.ts";
import type { CompiledRule, RuleId, RulePolicy } from "../routing/index.ts";

/** A rule that has handshakes or tunnels, as it is now. */
export interface LiveRule extends PolicyRef {
  readonly rule: CompiledRule;
  /** Handshakes under way and tunnels. */
  readonly holders: number;
}

type Writable<Fields> = { -readonly [Field in keyof Fields]: Fields[Field] };

/** What a commit changed for live tunnels. */
export interface FollowedChange {
  /** Some have to follow another policy from now on. */
  readonly hasPolicies: boolean;
  /** Rules that say something else of drains or of their upstreams' weights. */
  readonly leaving: ReadonlySet<RuleId>;
}

/**
 * The policies that live tunnels follow: the current rule of the id they opened under, or, once that is gone, the
 * last one there was. An entry lives as long as its last handshake or tunnel.
 */
export class LiveRules {
  readonly #rules = new Map<RuleId, Writable<LiveRule>>();

  /** How many rules have handshakes or tunnels. */
  get size(): number {
    return this.#rules.size;
  }

  /** To be called when a handshake is decided, so that an edit of the rule meanwhile is not missed. */
  enter(rule: CompiledRule): LiveRule {
    let live = this.#rules.get(rule.id);
    if (live === undefined) {
      live = { current: tunnelPolicy(rule.policy), rule, holders: 0 };
      this.#rules.set(rule.id, live);
    }
    live.holders++;
    return live;
  }

  /** The rule that its live tunnels follow; undefined = it has none. */
  get(id: RuleId): CompiledRule | undefined {
    return this.#rules.get(id)?.rule;
  }

  /** The counterpart of `enter`: the handshake failed, or its tunnel ended. */
  leave(id: RuleId): void {
    const live = this.#rules.get(id);
    if (live === undefined) return;
    live.holders--;
    if (live.holders === 0) this.#rules.delete(id);
  }

  /** Takes over what a commit changed. */
  follow(changed: ReadonlyMap<RuleId, CompiledRule>): FollowedChange {
    let hasPolicies = false;
    const leaving = new Set<RuleId>();
    // The fewer of both are walked: a commit may bring tens of thousands of rules.
    const ids = changed.size < this.#rules.size ? changed.keys() : this.#rules.keys();
    for (const id of ids) {
      const live = this.#rules.get(id);
      const rule = changed.get(id);
      if (live === undefined || rule === undefined) continue;
      if (leavesOtherwise(live.rule, rule)) leaving.add(id);
      live.rule = rule;
      const next = tunnelPolicy(rule.policy);
      if (isSame(live.current, next)) continue;
      live.current = next;
      hasPolicies = true;
    }
    return { hasPolicies, leaving };
  }
}

/** Written out, so that all policies have one shape for the relay, and a field that is new there is missed here. */
function tunnelPolicy(policy: RulePolicy): TunnelPolicy {
  return {
    idleMs: policy.idleMs,
    lifetimeMs: policy.lifetimeMs,
    lifetimeJitterPercent: policy.lifetimeJitterPercent,
    pingMs: policy.pingMs,
    backendPingMs: policy.backendPingMs,
    pongTimeoutMs: policy.pongTimeoutMs,
    strictness: policy.strictness,
    maxMessageBytes: policy.maxMessageBytes,
    maxFragments: policy.maxFragments,
    messagesPerSecond: policy.messagesPerSecond,
    bytesPerSecond: policy.bytesPerSecond,
    controlFramesPerSecond: policy.controlFramesPerSecond,
    onLimit: policy.onLimit,
  };
}

function isSame<Fields extends object>(a: Fields, b: Fields): boolean {
  return (Object.keys(a) as (keyof Fields)[]).every((field) => a[field] === b[field]);
}

function leavesOtherwise(a: CompiledRule, b: CompiledRule): boolean {
  if (!isSame(a.policy.drain, b.policy.drain) || a.backends.length !== b.backends.length) return true;
  return a.backends.some(({ upstream, weight }, i) => {
    const other = b.backends[i];
    return upstream !== other?.upstream || weight !== other.weight;
  });
}
