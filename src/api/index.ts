/**
 * api: the words of our custom resource, and the objects of others as far as they are used.
 * In: objects as a source gave them, unknown. Out: typed values with defaults, or issues by field; and, from the same
 * schemas, the CRD. Imports zod and cel-js. Does no I/O, keeps no state, knows no route but the one in hand, and never
 * throws on what a user wrote.
 */
export { routeDefinition, routeSchema } from "./crd.ts";
export { durationMs } from "./durations.ts";
export { type EndpointSlice, parseEndpointSlice } from "./endpoint-slice.ts";
export {
  API_GROUP,
  API_VERSION,
  CONTROLLER_NAME,
  ROUTE_KIND,
  ROUTE_PLURAL,
  SERVICE_NAME_LABEL,
} from "./identity.ts";
export { DEFAULT_CLASS_ANNOTATION, type IngressClass, parseIngressClass } from "./ingress-class.ts";
export type { ObjectMetadata } from "./metadata.ts";
export type { OpenApiSchema } from "./open-api.ts";
export { parseWebSocketRoute } from "./parse-route.ts";
export type { Issue, Parsed } from "./parsed.ts";
export { CONDITION_REASONS, type ConditionReason } from "./reasons.ts";
export { GRANT_API_VERSIONS, parseReferenceGrant, type ReferenceGrant } from "./reference-grant.ts";
export { parseService, type Service } from "./service.ts";
export type {
  BackendRef,
  HeaderEdits,
  RouteMatch,
  RouteRule,
  RouteSpec,
  WebSocketRoute,
  WebSocketRouteInput,
} from "./websocket-route.ts";
