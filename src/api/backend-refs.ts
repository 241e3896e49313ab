import { z } from "zod";
import { dnsLabel, portNumber } from "./kubernetes-names.ts";

const backendRef = z.strictObject({
  name: dnsLabel.describe("Name of a Service."),
  namespace: dnsLabel
    .describe(
      "Namespace of the Service. Not set: the route's own. Another one must hold a ReferenceGrant (Gateway API) from " +
        "WebSocketRoutes of the route's namespace to the Service; without it nothing is sent there.",
    )
    .optional(),
  port: portNumber.describe("A port of the Service, by its number."),
  weight: z
    .int32()
    .min(0)
    .max(1_000_000)
    .default(1)
    .describe(
      "Share of new tunnels and requests, by the sum of all weights. 0: gets no new ones, and keeps its tunnels.",
    ),
});

export const backendRefs = z
  .array(backendRef.describe("A Service port and its share."))
  .min(1)
  .max(16, { abort: true })
  .meta({ "x-kubernetes-list-type": "atomic" })
  .describe(
    "Where tunnels and requests go. The share of a Service that does not exist, may not be referred to or has no " +
      "ready endpoint goes to the others.",
  );
