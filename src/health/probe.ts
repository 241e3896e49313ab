import type { TimerWheel } from "../relay/index.ts";
import type { ActiveHealth } from "../routing/index.ts";
import type { Backend } from "../upstream/index.ts";
import { askOverHttp } from "./http-probe.ts";
import { badAnswer, ProbeRun, SUCCESS } from "./probe-run.ts";
import type { ProbeAnswer } from "./types.ts";
import { askOverWebSocket } from "./websocket-probe.ts";

/** Says why nothing may be connected to there; undefined = it may. */
export type TargetCheck = (address: string, port: number) => string | undefined;

export interface ProbeSurroundings {
  readonly wheel: TimerWheel;
  /** 0 to below 1. */
  readonly random: () => number;
  /** undefined = every target is allowed; to be said, so that nobody forgets it. */
  readonly isForbidden: TargetCheck | undefined;
}

/**
 * Asks a backend once, unless that is forbidden; `done` is called once, later than this returns and when nothing of the probe is
 * left, unless the returned function has given it up before. Never throws.
 */
export function probe(
  backend: Pick<Backend, "address" | "port">,
  active: ActiveHealth,
  { wheel, random, isForbidden }: ProbeSurroundings,
  done: (answer: ProbeAnswer) => void,
): () => void {
  const target = { address: backend.address, port: active.port === 0 ? backend.port : active.port };
  const forbidden = isForbidden?.(target.address, target.port);
  if (forbidden !== undefined) {
    const soon = setImmediate(() => done({ result: "forbidden", why: `the endpoint is ${forbidden}` }));
    return () => clearImmediate(soon);
  }
  const run = new ProbeRun(target, { wheel, timeoutMs: active.timeoutMs, done });
  try {
    ask(run, active, { ...target, random });
  } catch (error) {
    // A host or path that the schema let through and Node does not: bad for its rule, and for nobody else.
    run.end(badAnswer(error instanceof Error ? error.message : "it cannot be asked"));
  }
  return () => run.abandon();
}

interface Means {
  readonly address: string;
  readonly port: number;
  readonly random: () => number;
}

function ask(run: ProbeRun, { type, path, host }: ActiveHealth, { address, port, random }: Means): void {
  const asked = { path, host: host ?? `${address.includes(":") ? `[${address}]` : address}:${port}` };
  switch (type) {
    case "TCP":
      run.socket.on("connect", () => run.end(SUCCESS));
      return;
    case "HTTP":
      askOverHttp(run, asked);
      return;
    case "WebSocket":
      askOverWebSocket(run, asked, Buffer.from(random().toString()));
      return;
  }
}
