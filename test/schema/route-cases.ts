import { ADMISSION_CASES } from "./cases/admission.ts";
import { AFFINITY_CASES } from "./cases/affinity.ts";
import type { RouteCase } from "./cases/build.ts";
import { DRAIN_CASES } from "./cases/drain.ts";
import { FRAME_CASES } from "./cases/frames.ts";
import { HEADER_CASES } from "./cases/headers.ts";
import { HEALTH_CASES } from "./cases/health.ts";
import { CLASS_CASES, HOSTNAME_CASES } from "./cases/hostnames.ts";
import { LOAD_BALANCING_CASES } from "./cases/load-balancing.ts";
import { MATCH_CASES } from "./cases/matches.ts";
import { PATH_CASES } from "./cases/paths.ts";
import { RETRY_CASES } from "./cases/retry.ts";
import { REWRITE_CASES } from "./cases/rewrite.ts";
import { RULE_CASES } from "./cases/rules.ts";
import { TIME_CASES } from "./cases/times.ts";

/**
 * What a WebSocketRoute may say and what not: the same verdict from parseWebSocketRoute and from an API server that has
 * the CRD. Of each refused case the API server names every `field`, and every message that is `by: "cel"`.
 */
export const ROUTE_CASES: readonly RouteCase[] = [
  ...CLASS_CASES,
  ...HOSTNAME_CASES,
  ...RULE_CASES,
  ...MATCH_CASES,
  ...PATH_CASES,
  ...REWRITE_CASES,
  ...HEADER_CASES,
  ...TIME_CASES,
  ...FRAME_CASES,
  ...DRAIN_CASES,
  ...LOAD_BALANCING_CASES,
  ...AFFINITY_CASES,
  ...HEALTH_CASES,
  ...RETRY_CASES,
  ...ADMISSION_CASES,
];

export { FOLDER_CASES } from "./cases/folder.ts";
export type { RouteCase } from "./cases/build.ts";
