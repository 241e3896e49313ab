import type { ClientRequest } from "node:http";
import { badAnswer, type ProbeRun } from "./probe-run.ts";

/** Before an answer, at most; each costs this thread more than its few bytes say. */
const MOST_INTERIM = 20;

/** What HTTP and WebSocket probes ask for. */
export interface AskedOver {
  /** With its query; visible ASCII. */
  readonly path: string;
  /** As the Host header says it. */
  readonly host: string;
}

/** So that whoever reads a backend's log can tell probes from clients. */
export function probeHeaders({ host }: AskedOver): { readonly host: string; readonly "user-agent": string } {
  return { host, "user-agent": "holdfast-probe" };
}

/** Ends the run when the backend says `103 Early Hints` and the like without end. */
export function boundInterim(run: ProbeRun, request: ClientRequest): void {
  let count = 0;
  request.on("information", () => {
    count++;
    if (count > MOST_INTERIM) run.end(badAnswer(`more than ${MOST_INTERIM} interim answers`));
  });
}
