import { TimerWheel } from "../relay/index.ts";
import {
  type AdmissionPolicy,
  type CompiledRule,
  ruleId,
  type RulePolicy,
  type UpstreamKey,
} from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { type Lease, UpstreamRegistry } from "../upstream/index.ts";
import { CHAT, endpoints, seeded, WISH } from "../upstream/upstream.fixture.ts";
import { RuleAdmissions } from "./rule-admissions.ts";
import type { AdmissionRefusal, RuleAtWork } from "./types.ts";

const STEP_MS = 10;

/** A rule that leads to CHAT, with these limits. */
export function limited(
  admission: Partial<AdmissionPolicy>,
  policy: Partial<RulePolicy> = {},
  name = "app",
): CompiledRule {
  return {
    id: ruleId("apps/chat", name),
    route: "apps/chat",
    rule: name,
    backends: [{ upstream: CHAT, weight: 1 }],
    rewrite: undefined,
    requestHeaders: undefined,
    responseHeaders: undefined,
    policy: { ...QUIET_POLICY, ...policy, admission: { ...QUIET_POLICY.admission, ...admission } },
  };
}

/** A client's handshake, and the tunnel it may become. */
export interface Visitor {
  readonly cameMs: number;
  state: "waiting" | "admitted" | "refused" | "gone";
  /** When it was admitted or refused. */
  atMs: number | undefined;
  heldMs: number | undefined;
  refusal: AdmissionRefusal | undefined;
  /** Gives up waiting, or ends the tunnel. */
  leave(): void;
}

/** Admissions with a registry and a wheel behind them, in a time of its own. */
export class Stage {
  readonly random: () => number;
  readonly drain = { isRefusing: false };
  readonly registry: UpstreamRegistry;
  readonly wheel: TimerWheel;
  readonly admissions: RuleAdmissions;
  /** The most that went on or was refused in one turn. */
  busiestTurn = 0;
  turns = 0;
  #nowMs = 0;
  #done = 0;
  readonly #live = new Map<string, { rule: CompiledRule; holders: number }>();
  #asked: (() => void)[] = [];

  constructor(seed = 1) {
    const now = (): number => this.#nowMs;
    this.random = seeded(seed);
    this.wheel = new TimerWheel({ now, tickMs: STEP_MS });
    this.registry = new UpstreamRegistry({ random: this.random, now });
    this.admissions = new RuleAdmissions({
      balancer: this.registry,
      wheel: this.wheel,
      now,
      random: this.random,
      nextTurn: (callback) => void this.#asked.push(callback),
      drain: this.drain,
    });
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** So many backends are ready. */
  setBackends(count: number, upstream: UpstreamKey = CHAT): void {
    this.registry.setEndpoints(upstream, endpoints(count));
  }

  holdersOf(rule: CompiledRule): number {
    return this.#live.get(rule.id)?.holders ?? 0;
  }

  arrive(rule: CompiledRule): Visitor {
    const live = this.#enter(rule);
    let lease: Lease | undefined;
    const settle = (state: "admitted" | "refused"): void => {
      visitor.state = state;
      visitor.atMs = this.#nowMs;
      this.#done++;
    };
    const visitor: Visitor = {
      cameMs: this.#nowMs,
      state: "waiting",
      atMs: undefined,
      heldMs: undefined,
      refusal: undefined,
      leave: () => {
        if (visitor.state !== "waiting" && visitor.state !== "admitted") return;
        visitor.state = "gone";
        place.leave();
        lease?.release("closed");
        this.#left(live);
      },
    };
    const place = this.admissions.enter(live, {
      wish: WISH,
      admitted: (given, heldMs) => {
        lease = given;
        visitor.heldMs = heldMs;
        settle("admitted");
      },
      refused: (refusal) => {
        visitor.refusal = refusal;
        settle("refused");
        this.#left(live);
      },
    });
    return visitor;
  }

  arriveMany(count: number, rule: CompiledRule): readonly Visitor[] {
    return Array.from({ length: count }, () => this.arrive(rule));
  }

  /** The rule reads so from now on. */
  edit(rule: CompiledRule): void {
    const live = this.#live.get(rule.id);
    if (live !== undefined) live.rule = rule;
    this.admissions.rulesChanged(new Map([[rule.id, rule]]));
  }

  /** The event loop turns until nobody asks for a turn. */
  settle(): void {
    for (let most = 100_000; this.#asked.length > 0 && most > 0; most--) {
      const asked = this.#asked;
      this.#asked = [];
      for (const callback of asked) {
        const before = this.#done;
        callback();
        this.turns++;
        this.busiestTurn = Math.max(this.busiestTurn, this.#done - before);
      }
    }
  }

  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    this.settle();
    while (this.#nowMs < endMs) {
      this.#nowMs = Math.min(endMs, this.#nowMs + STEP_MS);
      this.wheel.advance(this.#nowMs);
      this.settle();
    }
  }

  #enter(rule: CompiledRule): RuleAtWork {
    let live = this.#live.get(rule.id);
    if (live === undefined) this.#live.set(rule.id, (live = { rule, holders: 0 }));
    live.holders++;
    return live;
  }

  #left({ rule: { id } }: RuleAtWork): void {
    const live = this.#live.get(id);
    if (live === undefined) throw new Error("a rule was left that nobody had entered");
    live.holders--;
    if (live.holders === 0) this.#live.delete(id);
    this.admissions.left(id);
  }
}

/** How many of them stand so. */
export function count(visitors: readonly Visitor[], state: Visitor["state"]): number {
  return visitors.filter((visitor) => visitor.state === state).length;
}
