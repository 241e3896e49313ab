import {
  API_GROUP,
  API_VERSION,
  type Issue,
  type Parsed,
  GRANT_API_VERSIONS,
  parseEndpointSlice,
  parseIngressClass,
  parseReferenceGrant,
  parseService,
  parseWebSocketRoute,
} from "../api/index.ts";
import { type ClusterObject, objectName } from "../controller/index.ts";
import type { Kind, NamespacedName } from "../graph/index.ts";

/** `kind|namespace/name`. */
export type ObjectId = `${Kind}|${NamespacedName}`;

/** An object that its schema accepts, with its namespace filled in. */
export interface ManifestObject {
  readonly id: ObjectId;
  readonly kind: Kind;
  readonly name: NamespacedName;
  readonly object: ClusterObject;
}

/** What becomes of an object; refused as an API server would refuse it. */
export type Admission =
  | { readonly kind: "admitted"; readonly admitted: ManifestObject }
  | { readonly kind: "refused"; readonly id: ObjectId | undefined; readonly message: string }
  | { readonly kind: "ignored"; readonly what: string };

interface KindRule {
  readonly group: string;
  readonly apiVersions: readonly string[];
  readonly scope: "Namespaced" | "Cluster";
  readonly parse: (object: unknown) => Parsed<unknown>;
}

// Nobody uses these yet; whoever does brings their schemas.
const takeAsItIs = (object: unknown): Parsed<unknown> => ({ ok: true, value: object });

const KINDS: Readonly<Record<Kind, KindRule>> = {
  WebSocketRoute: ruleOf(`${API_GROUP}/${API_VERSION}`, parseWebSocketRoute),
  Service: ruleOf("v1", parseService),
  EndpointSlice: ruleOf("discovery.k8s.io/v1", parseEndpointSlice),
  IngressClass: { ...ruleOf("networking.k8s.io/v1", parseIngressClass), scope: "Cluster" },
  ReferenceGrant: { ...ruleOf(GRANT_API_VERSIONS[0], parseReferenceGrant), apiVersions: GRANT_API_VERSIONS },
  Secret: ruleOf("v1", takeAsItIs),
  ConfigMap: ruleOf("v1", takeAsItIs),
};

const MOST_ISSUES = 5;
const LONGEST_KIND = 200;

/** Judges one object of a manifest; never throws. */
export function admit(value: unknown): Admission {
  if (!isRecord(value)) return refuse(undefined, "must be an object");
  const { kind, apiVersion } = value;
  if (typeof kind !== "string") return refuse(undefined, "kind: is required");
  if (typeof apiVersion !== "string") return refuse(undefined, `${kind}: apiVersion: is required`);
  // Other groups have kinds of the same names: Knative has a Service.
  if (!isKind(kind) || groupOf(apiVersion) !== KINDS[kind].group) {
    return { kind: "ignored", what: `${apiVersion} ${kind}`.slice(0, LONGEST_KIND) };
  }
  const rule = KINDS[kind];
  const object = withNamespace(value, rule);
  if (object === undefined) return refuse(undefined, `${kind}: metadata: must have a valid name and namespace`);
  const name = objectName(object);
  const id: ObjectId = `${kind}|${name}`;
  if (!rule.apiVersions.includes(apiVersion)) {
    const choices = rule.apiVersions.map((known) => `"${known}"`).join(" or ");
    return refuse(id, `${kind} ${name}: apiVersion: must be ${choices}`);
  }
  const parsed = rule.parse(object);
  if (!parsed.ok) return refuse(id, `${kind} ${name}: ${listIssues(parsed.issues)}`);
  return { kind: "admitted", admitted: { id, kind, name, object } };
}

/** A kind of one version, with a namespace. */
function ruleOf(apiVersion: string, parse: KindRule["parse"]): KindRule {
  return { group: groupOf(apiVersion), apiVersions: [apiVersion], scope: "Namespaced", parse };
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(KINDS, kind);
}

function refuse(id: ObjectId | undefined, message: string): Admission {
  return { kind: "refused", id, message };
}

/**
 * The object with its namespace written out, "" for a kind that has none; undefined when its name is none. Labels are
 * checked by its schema.
 */
function withNamespace(
  value: Readonly<Record<string, unknown>>,
  { scope }: Pick<KindRule, "scope">,
): ClusterObject | undefined {
  const { metadata } = value;
  if (!isRecord(metadata)) return undefined;
  const { name, namespace = "default" } = metadata;
  if (!isName(name)) return undefined;
  if (scope === "Cluster") return { ...value, metadata: { ...metadata, name, namespace: "" } };
  return isName(namespace) ? { ...value, metadata: { ...metadata, name, namespace } } : undefined;
}

/** As far as it matters here: it can be part of `namespace/name`. The schema of the kind says the rest. */
function isName(name: unknown): name is string {
  return typeof name === "string" && /^[a-z0-9][-a-z0-9.]{0,252}$/.test(name);
}

function groupOf(apiVersion: string): string {
  return apiVersion.slice(0, Math.max(0, apiVersion.indexOf("/")));
}

function listIssues(issues: readonly Issue[]): string {
  const texts = issues
    .slice(0, MOST_ISSUES)
    .map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
  if (issues.length > MOST_ISSUES) texts.push(`and ${issues.length - MOST_ISSUES} more`);
  return texts.join("; ");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
