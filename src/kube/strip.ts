import { SERVICE_NAME_LABEL } from "../api/index.ts";
import type { ClusterObject } from "../controller/index.ts";
import { isRecord } from "./answers.ts";
import type { Resource, WatchedKind } from "./resources.ts";

const DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class";

type Fields = Readonly<Record<string, unknown>>;

/** What an object keeps besides apiVersion, kind and metadata. */
const KEPT: Readonly<Record<WatchedKind, (object: Fields) => Fields>> = {
  WebSocketRoute: ({ spec }) => ({ spec }),
  Service: ({ spec }) => ({
    spec: pick(spec, [
      "type",
      "externalName",
      "clusterIP",
      "clusterIPs",
      "ipFamilies",
      "ports",
      "publishNotReadyAddresses",
    ]),
  }),
  EndpointSlice: ({ addressType, ports, endpoints }) => ({
    addressType,
    ports,
    endpoints: Array.isArray(endpoints) ? endpoints.map(stripEndpoint) : endpoints,
  }),
  IngressClass: ({ spec }) => ({ spec: pick(spec, ["controller"]) }),
  ReferenceGrant: ({ spec }) => ({ spec }),
};

/**
 * What enters the store of an object as the API server gave it: all that anybody here reads, and nothing that changes
 * without meaning a change (status, managedFields, resourceVersion). Items of lists lack apiVersion and kind, so these
 * are filled in. undefined = this is no object.
 */
export function strip(object: unknown, { kind }: Resource, apiVersion: string): ClusterObject | undefined {
  if (!isRecord(object)) return undefined;
  const metadata = stripMetadata(object["metadata"], kind);
  if (metadata === undefined) return undefined;
  const stripped: ClusterObject & Fields = { apiVersion, kind, metadata, ...KEPT[kind](object) };
  return stripped;
}

function stripMetadata(metadata: unknown, kind: WatchedKind): ClusterObject["metadata"] | undefined {
  if (!isRecord(metadata)) return undefined;
  const { name, namespace, labels, annotations } = metadata;
  if (typeof name !== "string" || name === "") return undefined;
  return {
    name,
    // Said, since a namespace that is not said counts as `default`.
    namespace: typeof namespace === "string" ? namespace : "",
    ...pick(metadata, ["generation", "creationTimestamp", "uid"]),
    ...(kind === "EndpointSlice" && isRecord(labels) ? { labels: stripLabels(labels) } : {}),
    ...(kind === "IngressClass" && isRecord(annotations) ? { annotations: pick(annotations, [DEFAULT_CLASS]) } : {}),
  };
}

function stripLabels(labels: Fields): Readonly<Record<string, string>> {
  const service = labels[SERVICE_NAME_LABEL];
  return typeof service === "string" ? { [SERVICE_NAME_LABEL]: service } : {};
}

/** There are tens of thousands of endpoints, and literals of one shape are smaller and made faster than picked fields. */
function stripEndpoint(endpoint: unknown): unknown {
  if (!isRecord(endpoint)) return endpoint;
  const { addresses, conditions, zone, hints, targetRef } = endpoint;
  return { addresses, conditions: stripConditions(conditions), zone, hints, targetRef: stripTarget(targetRef) };
}

function stripConditions(conditions: unknown): unknown {
  if (!isRecord(conditions)) return conditions;
  const { ready, serving, terminating } = conditions;
  return { ready, serving, terminating };
}

function stripTarget(target: unknown): unknown {
  if (!isRecord(target)) return target;
  const { kind, name, uid } = target;
  return { kind, name, uid };
}

/** The fields of those names that are there; a value that is no object stays what it is, for whoever parses it. */
function pick<Value>(value: Value, names: readonly string[]): Value | Fields {
  if (!isRecord(value)) return value;
  const picked: Record<string, unknown> = {};
  for (const name of names) if (value[name] !== undefined) picked[name] = value[name];
  return picked;
}
