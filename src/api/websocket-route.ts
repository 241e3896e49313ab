import { z } from "zod";
import { hostnames } from "./hostnames.ts";
import type { API_GROUP, API_VERSION, ROUTE_KIND } from "./identity.ts";
import { dnsSubdomain } from "./kubernetes-names.ts";
import type { ObjectMetadata } from "./metadata.ts";
import { rules } from "./rule.ts";

/** `spec` of a WebSocketRoute: the one source of its types, of the CRD, of the reference page and of what we enforce. */
export const routeSpec = z
  .strictObject({
    ingressClassName: dnsSubdomain
      .describe(
        "Name of the IngressClass whose controller serves the route. Not set: the class of ours that is marked default, else the " +
          "only one of ours. A route of another class is not ours.",
      )
      .optional(),
    hostnames: hostnames.optional(),
    rules,
  })
  .describe("What the route serves, and how.");

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** After the defaults of the schema. */
export type RouteSpec = DeepReadonly<z.output<typeof routeSpec>>;
export type RouteRule = RouteSpec["rules"][number];
export type RouteMatch = RouteRule["matches"][number];
export type BackendRef = RouteRule["backendRefs"][number];
export type HeaderEdits = NonNullable<RouteRule["requestHeaders"]>;

/** A WebSocketRoute that follows every rule of the schema, with its defaults filled in. */
export interface WebSocketRoute {
  readonly metadata: ObjectMetadata;
  readonly spec: RouteSpec;
}

/** What users write. */
export interface WebSocketRouteInput {
  readonly apiVersion: `${typeof API_GROUP}/${typeof API_VERSION}`;
  readonly kind: typeof ROUTE_KIND;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly spec: DeepReadonly<z.input<typeof routeSpec>>;
}
