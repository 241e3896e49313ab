import { setTimeout as sleep } from "node:timers/promises";
import { descriptors } from "../integration/fixtures/process-facts.ts";
import { countProblems, leftovers, MemoryWatch } from "./leftovers.ts";
import { liveOneTunnel } from "./one-tunnel.ts";
import { Payloads } from "./payload.ts";
import { Random } from "./random.ts";
import type { SoakRule } from "./rules.ts";
import type { TunnelRecord } from "./tunnel-record.ts";
import { SoakWorld } from "./world.ts";

/** More say no more. */
const FAILURES_AT_MOST = 5;
/** The process in the middle is killed so often. */
const KILL_EVERY_MS = [3_000, 7_000] as const;
/** A short run is still warming up at its end; so long a one is not. */
const MEMORY_COUNTS_AFTER_MS = 180_000;
/** What the process may be larger in the last three tenths than in the three behind the first two. */
const GROWTH_AT_MOST_MIB = 32;

export interface SoakOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Alive at the same time. */
  readonly tunnels: number;
  readonly rules: readonly SoakRule[];
  /** Of the proxy's process. */
  readonly env?: Record<string, string>;
  /** Told now and then how it goes. */
  readonly onProgress?: (text: string) => void;
}

export interface SoakReport {
  /** Each with the tunnel's rule and history; empty = all was as it must be. */
  readonly failures: readonly string[];
  readonly tunnels: number;
  readonly byCause: ReadonlyMap<string, number>;
  readonly ownPings: number;
  readonly bytes: number;
  /** Resident memory in each tenth of the time, in MiB. */
  readonly memoryMib: readonly number[];
}

/** Lives many tunnels of all rules through a real process, and judges each by what its sides did. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  await using world = await SoakWorld.start(options.rules, options.env);
  using memory = new MemoryWatch(world.holdfast.process.pid);
  const run = new SoakRun(world, options);
  await run.warmUp();
  const descriptorsBefore = descriptors(world.holdfast.process.pid);
  await run.go();
  const left = (await leftovers(world, descriptorsBefore)).map((what) => `left behind: ${what}`);
  const miscounts = await countProblems(world);
  const memoryMib = memory.tenths();
  // Between two collections memory goes up and down: the least of some tenths is what stays.
  const grownMib = Math.min(...memoryMib.slice(-3)) - Math.min(...memoryMib.slice(2, 5));
  const isGrowing = options.durationMs >= MEMORY_COUNTS_AFTER_MS && grownMib > GROWTH_AT_MOST_MIB;
  const growth = isGrowing ? [`memory has grown by ${grownMib} MiB: ${memoryMib.join(", ")}`] : [];
  return { ...run.report(), failures: [...run.failures, ...left, ...miscounts, ...growth], memoryMib };
}

class SoakRun {
  readonly failures: string[] = [];
  readonly #world: SoakWorld;
  readonly #options: SoakOptions;
  readonly #payloads: Payloads;
  readonly #alive = new Set<TunnelRecord>();
  #isOver = false;
  #lived = 0;
  #nextId = 1;
  #ownPings = 0;
  #bytes = 0;

  constructor(world: SoakWorld, options: SoakOptions) {
    this.#world = world;
    this.#options = options;
    this.#payloads = new Payloads(options.seed);
  }

  /** One tunnel, so that what a process opens only once is open. */
  async warmUp(): Promise<void> {
    const [rule] = this.#options.rules;
    if (rule !== undefined) await this.#liveOne(rule);
    await sleep(100);
  }

  async go(): Promise<void> {
    const { durationMs, tunnels, onProgress } = this.#options;
    const timer = setTimeout(() => (this.#isOver = true), durationMs);
    const progress = setInterval(() => onProgress?.(this.#progress()), 10_000);
    const killing = this.#killNowAndThen();
    await Promise.all(Array.from({ length: tunnels }, (_, lane) => this.#lane(lane)));
    this.#isOver = true;
    clearTimeout(timer);
    clearInterval(progress);
    await killing;
  }

  report(): Omit<SoakReport, "failures" | "memoryMib"> {
    return { tunnels: this.#lived, byCause: this.#world.ends.byCause, ownPings: this.#ownPings, bytes: this.#bytes };
  }

  async #lane(lane: number): Promise<void> {
    const { rules } = this.#options;
    // Each lane goes round the rules from another one, so that all are met from the beginning.
    for (let round = lane; !this.#isOver; round += 1) await this.#liveOne(rules[round % rules.length] as SoakRule);
  }

  async #liveOne(rule: SoakRule): Promise<void> {
    const id = this.#nextId++;
    const random = new Random(this.#options.seed, id);
    const parts = { id, rule, random, payloads: this.#payloads, world: this.#world, alive: this.#alive };
    const record = await liveOneTunnel(parts);
    this.#lived += 1;
    this.#ownPings += record.ownPings;
    this.#bytes += record.sent.client.sentBytes + record.sent.backend.sentBytes;
    if (record.problems.length === 0) return;
    this.failures.push(
      `seed ${this.#options.seed}, tunnel ${id}, rule ${rule.name}: ${record.problems.join("; ")}\n    ${record.text()}`,
    );
    if (this.failures.length >= FAILURES_AT_MOST) this.#isOver = true;
  }

  async #killNowAndThen(): Promise<void> {
    const random = new Random(this.#options.seed, 0x4111);
    const { forwarder } = this.#world;
    while (!this.#isOver) {
      const wakesMs = performance.now() + random.int(...KILL_EVERY_MS);
      while (performance.now() < wakesMs && !this.#isOver) await sleep(100);
      for (const record of this.#alive) if (record.through !== undefined) record.fault(record.through, "killed");
      await forwarder.kill();
      await forwarder.start();
    }
  }

  #progress(): string {
    const causes = [...this.#world.ends.byCause].map(([cause, count]) => `${cause} ${count}`).join(", ");
    return `${this.#lived} tunnels, ${this.failures.length} failures; ${causes}`;
  }
}
