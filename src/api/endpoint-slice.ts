import { z } from "zod";
import { dnsSubdomain, portNumber } from "./kubernetes-names.ts";
import { labelledMetadata, unlessNull } from "./metadata.ts";
import { type Parsed, parseBy } from "./parsed.ts";

// Go leaves out what is optional and not set, except for lists: those come as null.
const endpoint = z.object({
  conditions: z
    .object({ ready: z.boolean().optional(), serving: z.boolean().optional(), terminating: z.boolean().optional() })
    .optional(),
  targetRef: z
    .object({
      kind: z.string().max(63).optional(),
      name: z.string().max(253).optional(),
      uid: z.string().max(64).optional(),
    })
    .optional(),
  zone: z.string().max(253).optional(),
  /** The zones whose clients this endpoint is meant for (topology aware routing). */
  hints: z.object({ forZones: unlessNull(z.array(z.object({ name: z.string().max(253) })).max(64)) }).optional(),
});

const endpointPort = z.object({
  name: z.string().max(63).optional(),
  /** Not said: every port. */
  port: portNumber.optional(),
  protocol: z.enum(["TCP", "UDP", "SCTP"]).default("TCP"),
});

const ofAnyType = z.object({
  apiVersion: z.literal("discovery.k8s.io/v1"),
  kind: z.literal("EndpointSlice"),
  metadata: labelledMetadata,
  ports: unlessNull(z.array(endpointPort).max(100)),
});

// As the API server has it (discovery.k8s.io/v1).
const MOST_ENDPOINTS = 1000;
const MOST_ADDRESSES = 100;
const ipv4 = z.ipv4({ error: "must be an IPv4 address" });
const ipv6 = z.ipv6({ error: "must be an IPv6 address" });

/** The three kinds of slices: every address is of the kind that `addressType` names. */
const endpointSlice = z.discriminatedUnion(
  "addressType",
  [
    ofAnyType.extend({
      addressType: z.literal("IPv4"),
      endpoints: unlessNull(
        z.array(endpoint.extend({ addresses: z.array(ipv4).min(1).max(MOST_ADDRESSES) })).max(MOST_ENDPOINTS),
      ),
    }),
    ofAnyType.extend({
      addressType: z.literal("IPv6"),
      endpoints: unlessNull(
        z.array(endpoint.extend({ addresses: z.array(ipv6).min(1).max(MOST_ADDRESSES) })).max(MOST_ENDPOINTS),
      ),
    }),
    ofAnyType.extend({
      addressType: z.literal("FQDN"),
      endpoints: unlessNull(
        z.array(endpoint.extend({ addresses: z.array(dnsSubdomain).min(1).max(MOST_ADDRESSES) })).max(MOST_ENDPOINTS),
      ),
    }),
  ],
  { error: ({ code }) => (code === "invalid_union" ? 'must be "IPv4" or "IPv6" or "FQDN"' : undefined) },
);

/** An EndpointSlice (discovery.k8s.io/v1) as far as it is used; conditions as written, not as they are to be read. */
export type EndpointSlice = Readonly<z.output<typeof endpointSlice>>;

/**
 * Reads an EndpointSlice: fields that nobody here uses are passed over, those in use must be right, each address one of
 * the slice's type. Never throws.
 */
export function parseEndpointSlice(object: unknown): Parsed<EndpointSlice> {
  return parseBy(endpointSlice, object);
}
