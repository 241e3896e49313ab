import { afterDelay } from "../../src/controller/index.ts";
import { type ApiClient, LeaseElector, type LeaseTimings } from "../../src/kube/index.ts";
import { expect } from "vitest";
import { ControlPlane } from "./fixtures/control-plane.ts";
import { apiOf, noLog, TappedApi } from "./fixtures/tapped-api.ts";

/** About a tenth of those of production, but for the lease's own, which the API server has in whole seconds. */
export const TIMINGS: LeaseTimings = { leaseDurationMs: 3000, renewDeadlineMs: 1500, retryPeriodMs: 200 };
const SAMPLE_MS = 2;
/** Long enough for another to take over, if it could. */
export const WHILE_MS = TIMINGS.leaseDurationMs + 3 * TIMINGS.retryPeriodMs;

export interface Claimant {
  readonly identity: string;
  readonly elector: LeaseElector;
  readonly line: TappedApi;
  readonly changes: boolean[];
  readonly warnings: string[];
  /** Moves both of its clocks. */
  readonly clock: { nowMs: number; wallMs: number };
  /** It is gone without a word. */
  kill(): void;
}

export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseTransitions?: number;
  readonly leaseDurationSeconds?: number;
}

/** Claimants of one Lease object on a real API server. */
export class Election implements AsyncDisposable {
  readonly plane: ControlPlane;
  readonly #api: ApiClient;
  #running: Claimant[] = [];

  private constructor(plane: ControlPlane, api: ApiClient) {
    this.plane = plane;
    this.#api = api;
  }

  static async start(): Promise<Election> {
    const plane = await ControlPlane.start({ controllerManager: "none" });
    return new Election(plane, await apiOf(plane.kubeconfig));
  }

  claim(identity: string, more: { api?: ApiClient; timings?: LeaseTimings; wallMs?: number } = {}): Claimant {
    const line = new TappedApi(more.api ?? this.#api);
    const abort = new AbortController();
    // No two machines agree on any clock.
    const clock = { nowMs: Math.random() * 1e9, wallMs: more.wallMs ?? 0 };
    const changes: boolean[] = [];
    const warnings: string[] = [];
    const elector = new LeaseElector({
      api: line,
      namespace: "default",
      name: "holdfast",
      identity,
      log: { ...noLog, warn: (_fields, message) => void warnings.push(message) },
      now: () => performance.now() + clock.nowMs,
      wallMs: () => Date.now() + clock.wallMs,
      random: Math.random,
      after: afterDelay,
      timings: more.timings ?? TIMINGS,
    });
    elector.onChange((isLeader) => changes.push(isLeader));
    elector.start(abort.signal);
    const claimant = { identity, elector, line, changes, warnings, clock, kill: () => abort.abort() };
    this.#running.push(claimant);
    return claimant;
  }

  /** Two of which the first leads. */
  async leaderAndOther(): Promise<[Claimant, Claimant]> {
    const leader = this.claim("leader");
    await untilOneLeads(leader);
    const other = this.claim("other");
    await expect.poll(() => other.line.asked.length, { timeout: 15_000, interval: 5 }).toBeGreaterThan(1);
    return [leader, other];
  }

  async spec(): Promise<LeaseSpec> {
    const text = await this.plane.kubectl(["get", "lease", "holdfast", "-n", "default", "-o", "json"]);
    return (JSON.parse(text) as { readonly spec: LeaseSpec }).spec;
  }

  async patch(change: object): Promise<void> {
    const patch = ["--type=merge", "-p", JSON.stringify(change)];
    await this.plane.kubectl(["patch", "lease", "holdfast", "-n", "default", ...patch]);
  }

  async delete(): Promise<void> {
    await this.plane.kubectl(["delete", "lease", "holdfast", "-n", "default"]);
  }

  /** As before the first claim. */
  async clear(): Promise<void> {
    for (const claimant of this.#running.splice(0)) claimant.kill();
    await this.plane.kubectl(["delete", "leases", "--all", "-n", "default"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#api.close();
    await this.plane[Symbol.asyncDispose]();
  }
}

/** Looks all the time how many lead, once more at the end; `most` is the highest number seen. */
export function watchLeaders(...claimants: Claimant[]): { most: number; least: number; stop: () => void } {
  const look = (): void => {
    const leading = leaders(...claimants).length;
    seen.most = Math.max(seen.most, leading);
    seen.least = Math.min(seen.least, leading);
  };
  const timer = setInterval(look, SAMPLE_MS);
  const stop = (): void => {
    look();
    clearInterval(timer);
  };
  const seen = { most: 0, least: Infinity, stop };
  return seen;
}

export function leaders(...claimants: Claimant[]): string[] {
  return claimants.filter(({ elector }) => elector.isLeader).map(({ identity }) => identity);
}

export function untilOneLeads(...claimants: Claimant[]): Promise<void> {
  return expect.poll(() => leaders(...claimants), { timeout: 15_000, interval: 5 }).toHaveLength(1);
}
