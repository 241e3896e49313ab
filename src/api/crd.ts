import { API_GROUP, API_VERSION, ROUTE_KIND, ROUTE_PLURAL } from "./identity.ts";
import { type OpenApiSchema, openApiSchema } from "./open-api.ts";
import { status } from "./status.ts";
import { routeSpec } from "./websocket-route.ts";

/** A WebSocketRoute as the API server sees it; `metadata` is Kubernetes' own. */
export function routeSchema(): OpenApiSchema {
  return {
    description:
      "A WebSocketRoute says which hosts and paths Holdfast serves, to which Services their tunnels and requests go, and " +
      "how they are treated on the way.",
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: `Always ${API_GROUP}/${API_VERSION}.` },
      kind: { type: "string", description: `Always ${ROUTE_KIND}.` },
      // Kubernetes knows this part by itself and allows no word beside the type.
      metadata: { type: "object" },
      spec: openApiSchema(routeSpec),
      status: openApiSchema(status),
    },
  };
}

/** The CustomResourceDefinition of WebSocketRoute (apiextensions.k8s.io/v1), as plain data. */
export function routeDefinition(): object {
  const statusOf = (type: string): string => `.status.conditions[?(@.type=="${type}")].status`;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${ROUTE_PLURAL}.${API_GROUP}` },
    spec: {
      group: API_GROUP,
      scope: "Namespaced",
      names: {
        kind: ROUTE_KIND,
        listKind: `${ROUTE_KIND}List`,
        plural: ROUTE_PLURAL,
        singular: ROUTE_KIND.toLowerCase(),
        shortNames: ["wsr"],
        categories: ["holdfast"],
      },
      versions: [
        {
          name: API_VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: [
            { name: "Hosts", type: "string", jsonPath: ".spec.hostnames" },
            { name: "Accepted", type: "string", jsonPath: statusOf("Accepted") },
            { name: "Programmed", type: "string", jsonPath: statusOf("Programmed") },
            { name: "Ready", type: "integer", jsonPath: ".status.backends.ready" },
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
          ],
          subresources: { status: {} },
          schema: { openAPIV3Schema: routeSchema() },
        },
      ],
    },
  };
}
