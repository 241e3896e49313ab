import { accepts, manifest, many, type RouteCase, refuses, shape, withMatch, withRule, withSpec } from "./build.ts";

const NULL = "null (leave the field out instead)";

/** What only a folder says: an API server checks these by other means, prunes, or never sees them. */
export const FOLDER_CASES: readonly RouteCase[] = [
  accepts("metadata that others wrote", {
    ...manifest({
      metadata: {
        name: "chat",
        labels: { a: "b" },
        annotations: null,
        uid: "1",
        resourceVersion: "7",
        generation: 3,
        creationTimestamp: null,
        managedFields: [{ manager: "kubectl" }],
        ownerReferences: [],
      },
    }),
  }),
  accepts("a status, whatever it says", manifest({ status: { conditions: "nonsense" } })),
  refuses(
    "another apiVersion",
    manifest({ apiVersion: "holdfast.dev/v1" }),
    shape("apiVersion", 'must be "holdfast.dev/v1alpha1"'),
  ),
  refuses("another kind", manifest({ kind: "HTTPRoute" }), shape("kind", 'must be "WebSocketRoute"')),
  refuses("a route without a name", manifest({ metadata: {} }), shape("metadata.name", "is required")),
  refuses(
    "a name that is none",
    manifest({ metadata: { name: "Chat" } }),
    shape(
      "metadata.name",
      "must be lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit",
    ),
  ),
  refuses(
    "a namespace that is none",
    manifest({ metadata: { name: "chat", namespace: "a/b" } }),
    shape("metadata.namespace", "must be lower-case letters, digits and '-', and begin and end with a letter or digit"),
  ),
  refuses("a route without a spec", manifest({ spec: undefined }), shape("spec", "is required")),
  refuses("an unknown field beside spec", manifest({ specs: {} }), shape("specs", "unknown field")),
  refuses("an unknown field of spec", withSpec({ hosts: [] }), shape("spec.hosts", "unknown field")),
  refuses("an unknown field of a rule", withRule({ backends: [] }), shape("spec.rules[0].backends", "unknown field")),
  refuses(
    "an unknown field deep down",
    withMatch({ path: { vale: "/" } }),
    shape("spec.rules[0].matches[0].path.vale", "unknown field"),
  ),
  refuses(
    "a field that a later version brings",
    withRule({ resume: { mode: "Messages" } }),
    shape("spec.rules[0].resume", "unknown field"),
  ),
  refuses(
    "an unknown cause of drains",
    withRule({ drain: { onScaleDown: "Close" } }),
    shape("spec.rules[0].drain.onScaleDown", "unknown field"),
  ),
  refuses(
    "a null in place of a close reason",
    withRule({ drain: { close: { reason: null } } }),
    shape("spec.rules[0].drain.close.reason", `must be a text, not ${NULL}`),
  ),
  refuses(
    "a kind of a backend",
    withRule({ backendRefs: [{ name: "a", kind: "Service", port: 1 }] }),
    shape("spec.rules[0].backendRefs[0].kind", "unknown field"),
  ),
  refuses("an unknown field of a strange name", withSpec({ "a b": 1 }), shape('spec["a b"]', "unknown field")),
  refuses(
    "a null in place of a list",
    withSpec({ hostnames: null }),
    shape("spec.hostnames", `must be a list, not ${NULL}`),
  ),
  refuses(
    "a null in place of an object",
    withRule({ timeouts: null }),
    shape("spec.rules[0].timeouts", `must be an object, not ${NULL}`),
  ),
  refuses(
    "a null in place of a match",
    withRule({ matches: [null] }),
    shape("spec.rules[0].matches[0]", `must be an object, not ${NULL}`),
  ),
  {
    name: "says the first 32 issues and that there are more",
    object: withSpec(Object.fromEntries(many(40, (i) => [`field${i}`, i]))),
    wantIssues: [
      ...many(32, (i) => shape(`spec.field${i}`, "unknown field")),
      shape("", "and more; put these right first"),
    ],
  },
];
