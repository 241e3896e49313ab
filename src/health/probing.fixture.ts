import { TimerWheel } from "../relay/index.ts";
import {
  type ActiveHealth,
  type CompiledRule,
  type Endpoint,
  type RuleId,
  TableHolder,
  type UpstreamKey,
} from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { UpstreamRegistry } from "../upstream/index.ts";
import type { TargetCheck } from "./probe.ts";
import { Probing } from "./probing.ts";
import type { HealthObserver, ProbeResult, VerdictNews } from "./types.ts";

export const CHAT = "apps/chat:80" as UpstreamKey;
export const OTHER = "apps/other:80" as UpstreamKey;
/** Of another namespace. */
export const ELSEWHERE = "web/chat:80" as UpstreamKey;

export function ready(port: number, change: Partial<Endpoint> = {}): Endpoint {
  return { address: "127.0.0.1", port, podUid: undefined, ready: true, serving: true, terminating: false, ...change };
}

/** A rule that leads there, with this probe. */
export function ruleWith(
  name: string,
  active: ActiveHealth | undefined,
  weights: Readonly<Record<string, number>> = { [CHAT]: 1 },
): CompiledRule {
  const id = `apps/r/${name}` as RuleId;
  return {
    id,
    route: "apps/r",
    rule: name,
    backends: Object.entries(weights).map(([upstream, weight]) => ({ upstream: upstream as UpstreamKey, weight })),
    rewrite: undefined,
    requestHeaders: undefined,
    responseHeaders: undefined,
    policy: { ...QUIET_POLICY, health: { ...QUIET_POLICY.health, active } },
  };
}

/** Records what it is told. */
class Recorder implements HealthObserver {
  readonly results: ProbeResult[] = [];
  readonly news: VerdictNews[] = [];
  readonly crowds: UpstreamKey[] = [];

  probed(...[, result]: Parameters<HealthObserver["probed"]>): void {
    this.results.push(result);
  }

  verdict(news: VerdictNews): void {
    this.news.push(news);
  }

  crowded(upstream: UpstreamKey): void {
    this.crowds.push(upstream);
  }

  /** `failing 8010`, `well 8010`. */
  get said(): readonly string[] {
    return this.news.map(({ verdict, backend }) => `${verdict} ${backend.port}`);
  }
}

export interface ProbingStage {
  readonly registry: UpstreamRegistry;
  readonly probing: Probing;
  readonly wheel: TimerWheel;
  readonly observer: Recorder;
  /** These rules say this from now on, as a commit of a table brings it. */
  readonly commit: (...rules: readonly CompiledRule[]) => void;
  readonly gone: (...names: readonly string[]) => void;
  /** Ports of backends that the registry passes over since a probe fails. */
  readonly failing: () => readonly number[];
}

export interface StageOptions {
  readonly wheel: TimerWheel;
  readonly now?: () => number;
  readonly random?: () => number;
  readonly isForbidden?: TargetCheck;
}

/** Probing as the data thread has it, with the real registry and table. */
export function stageProbing(options: StageOptions): ProbingStage {
  const { wheel, now = () => performance.now(), random = Math.random, isForbidden } = options;
  const registry = new UpstreamRegistry({ now, random });
  const tables = new TableHolder();
  const observer = new Recorder();
  const probing = new Probing({ registry, wheel, now, random, isForbidden, observer });
  tables.onCommit((changed) => probing.rulesChanged(changed));
  registry.onList((upstream) => probing.listed(upstream));
  let generation = 0;
  const match = { path: { type: "PathPrefix" as const, value: "/" }, headers: [], queryParams: [], subprotocols: [] };
  return {
    registry,
    probing,
    wheel,
    observer,
    commit: (...rules) => {
      tables.stage(new Map([[`h${generation}.example`, rules.map((rule) => ({ match, rule }))]]));
      tables.commit(++generation);
    },
    gone: (...names) => probing.rulesGone(names.map((name) => `apps/r/${name}` as RuleId)),
    failing: () =>
      [...registry.backends()].filter(({ out }) => out?.why === "Probe").map(({ backend }) => backend.port),
  };
}

/** A wheel whose time only passes when it is told to; `pass` lets what is due be answered in between. */
export class SteppedTime {
  nowMs = 0;
  readonly wheel = new TimerWheel({ now: () => this.nowMs });

  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(this.nowMs + this.wheel.tickMs, endMs);
      this.wheel.advance(this.nowMs);
      await new Promise(setImmediate);
    }
  }
}
