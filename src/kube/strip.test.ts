import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RESOURCES, type Resource, type WatchedKind } from "./resources.ts";
import { strip } from "./strip.ts";

function resource(kind: WatchedKind): Resource {
  const found = RESOURCES.find((each) => each.kind === kind);
  if (found === undefined) throw new TypeError(`${kind} is not watched`);
  return found;
}

const metadata = {
  name: "chat",
  namespace: "apps",
  uid: "u1",
  generation: 3,
  creationTimestamp: "2026-01-01T00:00:00Z",
  resourceVersion: "77",
  managedFields: [{ manager: "kubectl" }],
  labels: { "kubernetes.io/service-name": "chat", team: "a" },
  annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
  ownerReferences: [{ kind: "Service" }],
};
const kept = { name: "chat", namespace: "apps", uid: "u1", generation: 3, creationTimestamp: "2026-01-01T00:00:00Z" };

describe("what enters the store", () => {
  test("of a route: its whole spec, and no status", () => {
    const spec = { hostnames: ["a.example"], rules: [{ backendRefs: [{ name: "chat", port: 80 }] }] };
    const route = { metadata, spec, status: { conditions: [] } };
    expect(strip(route, resource("WebSocketRoute"), "holdfast.dev/v1alpha1")).toEqual({
      apiVersion: "holdfast.dev/v1alpha1",
      kind: "WebSocketRoute",
      metadata: kept,
      spec,
    });
  });

  test("of a Service: what leads to its endpoints", () => {
    const spec = {
      type: "ClusterIP",
      clusterIP: "None",
      clusterIPs: ["None"],
      ipFamilies: ["IPv4"],
      ports: [{ name: "ws", port: 80, targetPort: "ws", appProtocol: "kubernetes.io/ws" }],
      publishNotReadyAddresses: true,
    };
    const service = { metadata, spec: { ...spec, selector: { app: "chat" }, sessionAffinity: "None" }, status: {} };
    expect(strip(service, resource("Service"), "v1")).toEqual({
      apiVersion: "v1",
      kind: "Service",
      metadata: kept,
      spec,
    });
  });

  test("of an EndpointSlice: its Service's name and its endpoints without their nodes", () => {
    const endpoint = {
      addresses: ["10.0.0.1"],
      conditions: { ready: true },
      zone: "z",
      hints: { forZones: [{ name: "z" }] },
    };
    const targetRef = { kind: "Pod", name: "chat-0", uid: "p" };
    const slice = {
      metadata,
      addressType: "IPv4",
      ports: [{ name: "ws", port: 8080 }],
      endpoints: [{ ...endpoint, targetRef: { ...targetRef, namespace: "apps" }, nodeName: "n", hostname: "h" }],
    };
    expect(strip(slice, resource("EndpointSlice"), "discovery.k8s.io/v1")).toEqual({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...kept, labels: { "kubernetes.io/service-name": "chat" } },
      addressType: "IPv4",
      ports: [{ name: "ws", port: 8080 }],
      endpoints: [{ ...endpoint, targetRef }],
    });
  });

  test("of an IngressClass: its controller and whether it is the default; its namespace is empty", () => {
    const mark = { "ingressclass.kubernetes.io/is-default-class": "true" };
    const { namespace: _, ...clusterScoped } = metadata;
    const annotated = { ...clusterScoped, annotations: { ...mark, other: "x" } };
    const object = { metadata: annotated, spec: { controller: "holdfast.dev/ingress", parameters: { kind: "X" } } };
    expect(strip(object, resource("IngressClass"), "networking.k8s.io/v1")).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "IngressClass",
      metadata: { ...kept, namespace: "", annotations: mark },
      spec: { controller: "holdfast.dev/ingress" },
    });
  });
});

test.for([null, 1, "x", [], {}, { metadata: null }, { metadata: { name: 1 } }, { metadata: { name: "" } }])(
  "%j is no object",
  (value) => {
    expect(strip(value, resource("Service"), "v1")).toBeUndefined();
  },
);

test("nothing that a server says throws", () => {
  const field = fc.oneof(fc.jsonValue(), fc.constant(undefined));
  const object = fc.record({
    metadata: fc.record({ name: fc.constant("x"), labels: field }),
    spec: field,
    endpoints: field,
  });
  fc.assert(
    fc.property(fc.oneof(object, fc.jsonValue()), fc.constantFrom(...RESOURCES), (value, each) => {
      strip(value, each, "v1");
    }),
  );
});
