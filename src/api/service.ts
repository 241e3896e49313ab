import { z } from "zod";
import { portNumber } from "./kubernetes-names.ts";
import { labelledMetadata, unlessNull } from "./metadata.ts";
import { type Parsed, parseBy, refuse } from "./parsed.ts";

const protocol = z.enum(["TCP", "UDP", "SCTP"]).default("TCP");

const servicePort = z.object({
  name: z.string().max(63).optional(),
  port: portNumber,
  /** A number, or the name of a container's port. */
  targetPort: unlessNull(
    z.union([z.int32().min(0).max(65_535), z.string().max(63)], { error: "must be a port number or a port's name" }),
  ),
  protocol,
  /** `kubernetes.io/ws`, `kubernetes.io/wss` and others (KEP-3726). */
  appProtocol: z.string().max(253).optional(),
});

const service = z.object({
  apiVersion: z.literal("v1"),
  kind: z.literal("Service"),
  metadata: labelledMetadata,
  spec: z.object({
    type: z.enum(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]).default("ClusterIP"),
    externalName: z.string().min(1).max(254).optional(),
    clusterIP: z.string().max(64).optional(),
    clusterIPs: z.array(z.string().max(64)).max(2).optional(),
    ipFamilies: z
      .array(z.enum(["IPv4", "IPv6"]))
      .max(2)
      .optional(),
    /** Pods that are not ready are to be used all the same. */
    publishNotReadyAddresses: z.boolean().optional(),
    ports: unlessNull(z.array(servicePort).max(1024)),
  }),
});

/** A Service (v1) as far as it is used. */
export type Service = Readonly<z.output<typeof service>>;

/** Reads a Service: fields that nobody here uses are passed over, those in use must be right. Never throws. */
export function parseService(object: unknown): Parsed<Service> {
  const parsed = parseBy(service, object);
  if (!parsed.ok || parsed.value.spec.type !== "ExternalName" || parsed.value.spec.externalName !== undefined)
    return parsed;
  return refuse([{ field: "spec.externalName", message: "is required with type ExternalName" }]);
}
