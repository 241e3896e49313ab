import { API_GROUP, API_VERSION, ROUTE_KIND, ROUTE_PLURAL } from "../api/index.ts";
import type { RoutePatch } from "../status/index.ts";
import type { StandingRoute } from "./standing.ts";
import type { ApiRequest } from "./types.ts";

/** Whose the fields of a status are, in `managedFields`. */
const FIELD_MANAGER = "holdfast-status";
/** A leader stops to be one 5 s before another may begin, so no write of its time lasts longer. */
const TIMEOUT_MS = 5_000;

/**
 * The request that makes a route's status say what the patch says, by server-side apply: conditions of other types and
 * fields of others stay, what others wrote over ours is ours again, and what we say no longer goes. The version makes it
 * fail with 409 where somebody was faster, or where another object has the name by now; of a UID the API server takes no
 * notice here (1.36). `time` is now, RFC 3339 in seconds; a condition whose status is as before keeps its time.
 */
export function statusRequest(patch: RoutePatch, standing: StandingRoute, time: string): ApiRequest {
  const [namespace = "", name = ""] = patch.route.split("/");
  const { generation, backends } = patch;
  const before = standing.status?.conditions ?? [];
  const conditions = patch.conditions.map(({ type, status, reason, message }) => {
    const old = before.find((condition) => condition.type === type);
    const isTurned = old?.status !== status || old.lastTransitionTime === "";
    const lastTransitionTime = isTurned ? time : old.lastTransitionTime;
    return { type, status, reason, message, lastTransitionTime, observedGeneration: generation };
  });
  return {
    method: "PATCH",
    path: `/apis/${API_GROUP}/${API_VERSION}/namespaces/${encodeURIComponent(namespace)}/${ROUTE_PLURAL}/${encodeURIComponent(name)}/status`,
    query: { fieldManager: FIELD_MANAGER, force: "true" },
    contentType: "application/apply-patch+yaml",
    body: {
      apiVersion: `${API_GROUP}/${API_VERSION}`,
      kind: ROUTE_KIND,
      metadata: { namespace, name, resourceVersion: standing.resourceVersion },
      status: { observedGeneration: generation, conditions, backends },
    },
    timeoutMs: TIMEOUT_MS,
  };
}
