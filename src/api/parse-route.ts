import { z } from "zod";
import { API_GROUP, API_VERSION, ROUTE_KIND } from "./identity.ts";
import { objectMetadata } from "./metadata.ts";
import { openApiSchema } from "./open-api.ts";
import { type Parsed, parseBy, refuse } from "./parsed.ts";
import { compileRules } from "./schema-rules.ts";
import { routeSpec, type WebSocketRoute } from "./websocket-route.ts";

/** A manifest: what its writer misspelt is told, except in `metadata` and `status`, which others write into. */
const manifest = z.strictObject({
  apiVersion: z.literal(`${API_GROUP}/${API_VERSION}`),
  kind: z.literal(ROUTE_KIND),
  metadata: objectMetadata,
  spec: routeSpec,
  status: z.unknown().optional(),
});

const specIssues = compileRules(openApiSchema(routeSpec));

/**
 * Reads a WebSocketRoute with every rule of its CRD, so that a folder refuses what an API server refuses: first its
 * shape, then, once that is right, the rules between fields. Stricter than the API server in one thing: an unknown field
 * or a null is an issue, not left out. Never throws; `status` is ignored.
 */
export function parseWebSocketRoute(object: unknown): Parsed<WebSocketRoute> {
  const parsed = parseBy(manifest, object);
  if (!parsed.ok) return parsed;
  const { metadata, spec } = parsed.value;
  const issues = specIssues(spec, "spec");
  return issues.length === 0 ? { ok: true, value: { metadata, spec } } : refuse(issues);
}
