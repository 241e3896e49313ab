import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Child } from "../peers/child.ts";
import type { LoopDelay } from "./records.ts";

const BINARY = join(import.meta.dirname, "../../bin/holdfast.cjs");
const START_TIMEOUT_MS = 20_000;
const LIVE_TIMEOUT_MS = 10_000;
const DELAY = /^holdfast_event_loop_delay_seconds\{stat="(p50|p99|max)"\} (\S+)$/gm;

/** Where Holdfast reads its manifests, where its log goes, and the words before its command line. */
export interface ProxyPlace {
  readonly manifests: string;
  readonly logFile: string;
  readonly pin: readonly string[];
}

/** Holdfast as it is installed, on a folder of manifests. Disposing of it kills it. */
export class ProxyProcess implements AsyncDisposable {
  /** Of 127.0.0.1, where clients connect. */
  readonly port: number;
  readonly #child: Child;
  readonly #adminPort: number;

  private constructor(child: Child, ports: { readonly http: number; readonly admin: number }) {
    this.#child = child;
    this.port = ports.http;
    this.#adminPort = ports.admin;
  }

  /** Started and listening; throws with its own words when it does not. */
  static async start({ manifests, logFile, pin }: ProxyPlace): Promise<ProxyProcess> {
    const source = ["serve", "--source", "files", "--dir", manifests];
    const listeners = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    const logs = ["--log-level", "info", "--log-format", "json"];
    const command = [...pin, process.execPath, BINARY, ...source, ...listeners, ...logs];
    // SIGTERM would begin a drain.
    const child = await Child.start(command, { outputFile: logFile, endSignal: "SIGKILL" });
    try {
      const ports = await child.until("listening", START_TIMEOUT_MS, () => portsOf(child.output()));
      return new ProxyProcess(child, ports);
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Everything at /metrics. What it says of delays is since the last time. */
  async metrics(): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${this.#adminPort}/metrics`);
    return await answer.text();
  }

  /** Waits until a line of the metrics says `value`, which the control thread's changes do when they are live. */
  async untilMetric(series: string, isThere: (value: number) => boolean): Promise<void> {
    await this.#child.until(series, LIVE_TIMEOUT_MS, async () =>
      isThere(metricValue(await this.metrics(), series)) ? true : undefined,
    );
  }

  /** Event-loop delay of the data thread since the last call of this or of `metrics`, in milliseconds. */
  async loopDelay(): Promise<LoopDelay> {
    return loopDelayIn(await this.metrics());
  }

  /** Memory in bytes, shared pages divided among those that share them. */
  pssBytes(): number {
    return kilobytes(this.#read("smaps_rollup"), "Pss") * 1024;
  }

  /** The most memory since the start or `forgetPeak`, shared pages in full. */
  peakResidentBytes(): number {
    return kilobytes(this.#read("status"), "VmHWM") * 1024;
  }

  forgetPeak(): void {
    // 5 resets VmHWM: proc_pid_clear_refs(5).
    writeFileSync(`/proc/${this.#child.pid}/clear_refs`, "5");
  }

  /** Time on a processor so far, all threads that live now. */
  cpuSeconds(): number {
    const tasks = readdirSync(`/proc/${this.#child.pid}/task`);
    const nanos = tasks.map((task) => Number(this.#read(`task/${task}/schedstat`).split(" ")[0]));
    return nanos.reduce((sum, one) => sum + one, 0) / 1e9;
  }

  /** The end of what it said. */
  lastWords(): string {
    return this.#child.output().slice(-1_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }

  #read(file: string): string {
    return readFileSync(`/proc/${this.#child.pid}/${file}`, "utf8");
  }
}

/** The value of a series, named with its labels as it stands there; NaN when there is none. */
export function metricValue(metrics: string, series: string): number {
  const line = metrics.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1));
}

export function loopDelayIn(metrics: string): LoopDelay {
  const found = new Map([...metrics.matchAll(DELAY)].map(([, stat, seconds]) => [stat, Number(seconds) * 1_000]));
  const of = (stat: string): number => found.get(stat) ?? Number.NaN;
  return { p50: of("p50"), p99: of("p99"), max: of("max") };
}

function kilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]);
}

/** From the lines that say where it listens; undefined until both are written, whole. */
function portsOf(output: string): { readonly http: number; readonly admin: number } | undefined {
  const ports = new Map<string, number>();
  for (const line of output.split("\n").filter((text) => text.includes('"listening"') && text.endsWith("}"))) {
    const { listener, port } = JSON.parse(line) as { readonly listener?: string; readonly port?: number };
    if (listener !== undefined && port !== undefined) ports.set(listener, port);
  }
  const [http, admin] = [ports.get("http"), ports.get("admin")];
  return http === undefined || admin === undefined ? undefined : { http, admin };
}
