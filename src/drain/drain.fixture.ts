import { TimerWheel } from "../relay/index.ts";
import type { RuleId, UpstreamKey } from "../routing/index.ts";
import type { Backend, BackendId } from "../upstream/index.ts";
import type { DrainableTunnel, DrainContext, DrainFacts, DrainObserver } from "./types.ts";

export const CHAT = "apps/chat:80" as UpstreamKey;
export const RULE = "apps/chat/0" as RuleId;

function backendAt(address: string, upstream = CHAT): Backend {
  const target = `${address}:80`;
  return { id: `|${address}|80` as BackendId, upstream, address, port: 80, target, podUid: undefined };
}

export interface Closed {
  readonly name: string;
  readonly atMs: number;
  readonly cause: string;
  readonly code: number | undefined;
  readonly reason: string | undefined;
}

/** A tunnel of this world: how long it goes on living once it was told to close. */
export interface TunnelShape {
  readonly name?: string;
  readonly backend?: Backend;
  readonly ruleId?: RuleId;
  readonly lastActiveAtMs?: number;
  /** Infinity = it never goes. */
  readonly lingerMs?: number;
}

export interface WorldTunnel extends DrainableTunnel {
  readonly name: string;
  readonly context: DrainContext;
  isEnding: boolean;
  hurry(): void;
}

/** A process with a clock by hand: tunnels that live in it, and what became of them. */
export class DrainWorld {
  nowMs = 0;
  readonly wheel = new TimerWheel({ now: () => this.nowMs, tickMs: 50 });
  readonly tunnels = new Set<WorldTunnel>();
  readonly closed: Closed[] = [];
  readonly hurried: { readonly name: string; readonly atMs: number }[] = [];
  /** `began apps …`: what the observer heard, in order. */
  readonly heard: { readonly what: "began" | "late" | "ended"; readonly drain: DrainFacts; readonly atMs: number }[] =
    [];
  readonly observer: DrainObserver = {
    began: (drain) => void this.heard.push({ what: "began", drain, atMs: this.nowMs }),
    late: (drain) => void this.heard.push({ what: "late", drain, atMs: this.nowMs }),
    ended: (drain) => void this.heard.push({ what: "ended", drain, atMs: this.nowMs }),
  };
  /** Told of every tunnel's end, as the proxy tells. */
  onEnded: (tunnel: WorldTunnel) => void = () => {};
  /** Told of every Close before it has any effect. */
  onClose: (tunnel: WorldTunnel, closed: Closed) => void = () => {};
  readonly now = (): number => this.nowMs;

  /** Lets a tunnel live here. */
  open({ backend = backendAt("10.0.0.1"), ruleId = RULE, lingerMs = 0, ...shape }: TunnelShape = {}): WorldTunnel {
    const name = shape.name ?? `t${this.tunnels.size + this.closed.length}`;
    const tunnel: WorldTunnel = {
      name,
      context: { ruleId, lease: { backend } },
      lastActiveAtMs: shape.lastActiveAtMs ?? 0,
      isEnding: false,
      close: (cause, words) => {
        const closed: Closed = { name, atMs: this.nowMs, cause, code: words?.code, reason: words?.reason };
        this.onClose(tunnel, closed);
        tunnel.isEnding = true;
        this.closed.push(closed);
        if (lingerMs === 0) this.end(tunnel);
        else if (lingerMs !== Number.POSITIVE_INFINITY) this.wheel.schedule(lingerMs, () => this.end(tunnel));
      },
      hurry: () => void this.hurried.push({ name, atMs: this.nowMs }),
    };
    this.tunnels.add(tunnel);
    return tunnel;
  }

  openMany(count: number, shape: TunnelShape = {}): WorldTunnel[] {
    return Array.from({ length: count }, (_, i) => this.open({ ...shape, name: `${shape.name ?? "t"}${i}` }));
  }

  /** It ends, whoever wanted it. */
  end(tunnel: WorldTunnel): void {
    if (this.tunnels.delete(tunnel)) this.onEnded(tunnel);
  }

  /** Time passes, tick by tick, or in steps of that size: larger ones than a tick are stalls. */
  pass(ms: number, stepMs = this.wheel.tickMs): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(endMs, this.nowMs + stepMs);
      this.wheel.advance(this.nowMs);
    }
  }

  /** `began auto/1`: what the observer heard, in order. */
  get headlines(): readonly string[] {
    return this.heard.map(({ what, drain }) => `${what === "ended" ? drain.state : what} ${drain.id}`);
  }

  /** When the closes were told, in order. */
  get closeTimes(): readonly number[] {
    return this.closed.map(({ atMs }) => atMs);
  }
}

/** The most of `times` that any window of `windowMs` holds, its end not included. */
export function mostInAWindow(times: readonly number[], windowMs: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  let most = 0;
  for (let first = 0, next = 0; first < sorted.length; first++) {
    while (next < sorted.length && (sorted[next] as number) < (sorted[first] as number) + windowMs) next++;
    most = Math.max(most, next - first);
  }
  return most;
}
