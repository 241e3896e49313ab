import { describe, expect, test } from "vitest";
import { parseEndpointSlice } from "./endpoint-slice.ts";
import { parseIngressClass } from "./ingress-class.ts";
import { parseReferenceGrant } from "./reference-grant.ts";
import { parseService } from "./service.ts";

const SERVICE = { apiVersion: "v1", kind: "Service", metadata: { name: "chat" } };
const service = (spec: object) => ({ ...SERVICE, spec });

describe("a Service", () => {
  test("is read as far as it is used", () => {
    const object = {
      ...SERVICE,
      metadata: { name: "chat", namespace: "apps", labels: { a: "b" }, uid: "1", managedFields: [] },
      spec: {
        type: "ClusterIP",
        clusterIP: "10.0.0.1",
        clusterIPs: ["10.0.0.1"],
        ipFamilies: ["IPv4"],
        publishNotReadyAddresses: true,
        sessionAffinity: "None",
        ports: [
          { name: "ws", port: 80, targetPort: 8010, protocol: "TCP", nodePort: 30000, appProtocol: "kubernetes.io/ws" },
        ],
      },
      status: { loadBalancer: {} },
    };
    expect(parseService(object)).toEqual({
      ok: true,
      value: {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "chat", namespace: "apps", labels: { a: "b" } },
        spec: {
          type: "ClusterIP",
          clusterIP: "10.0.0.1",
          clusterIPs: ["10.0.0.1"],
          ipFamilies: ["IPv4"],
          publishNotReadyAddresses: true,
          ports: [{ name: "ws", port: 80, targetPort: 8010, protocol: "TCP", appProtocol: "kubernetes.io/ws" }],
        },
      },
    });
  });

  test("gets the defaults that an API server would fill in", () => {
    const parsed = parseService(service({ ports: [{ port: 80, targetPort: "ws" }] }));
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        metadata: { namespace: "default" },
        spec: { type: "ClusterIP", ports: [{ port: 80, targetPort: "ws", protocol: "TCP" }] },
      },
    });
  });

  test("may have no ports, said in any way", () => {
    for (const spec of [{}, { ports: null }, { ports: [] }]) expect(parseService(service(spec)).ok).toBe(true);
  });

  test("of type ExternalName has a name", () => {
    expect(parseService(service({ type: "ExternalName", externalName: "chat.example.com" })).ok).toBe(true);
    expect(parseService(service({ type: "ExternalName" }))).toEqual({
      ok: false,
      issues: [{ field: "spec.externalName", message: "is required with type ExternalName" }],
    });
  });

  test.for([
    { name: "a port out of range", spec: { ports: [{ port: 0 }] }, field: "spec.ports[0].port" },
    { name: "a port that is a text", spec: { ports: [{ port: "80" }] }, field: "spec.ports[0].port" },
    {
      name: "a targetPort that is neither",
      spec: { ports: [{ port: 80, targetPort: {} }] },
      field: "spec.ports[0].targetPort",
    },
    { name: "an unknown protocol", spec: { ports: [{ port: 80, protocol: "QUIC" }] }, field: "spec.ports[0].protocol" },
    { name: "an unknown type", spec: { type: "Headless" }, field: "spec.type" },
    { name: "ports that are no list", spec: { ports: 80 }, field: "spec.ports" },
  ])("is refused with $name", ({ spec, field }) => {
    const parsed = parseService(service(spec));
    expect(parsed.ok ? [] : parsed.issues.map((issue) => issue.field)).toEqual([field]);
  });
});

const SLICE = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "chat-1", labels: { "kubernetes.io/service-name": "chat" } },
  addressType: "IPv4",
};

describe("an EndpointSlice", () => {
  test("is read as far as it is used, its conditions as written", () => {
    const endpoints = [
      {
        addresses: ["10.0.0.1"],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: "Pod", name: "chat-a", uid: "u1" },
        zone: "a",
        hints: { forZones: [{ name: "a" }] },
      },
      { addresses: ["127.0.0.1"] },
    ];
    const others = { nodeName: "n", deprecatedTopology: {} };
    const object = {
      ...SLICE,
      endpoints: endpoints.map((one) => ({ ...one, ...others })),
      ports: [{ name: "ws", port: 80 }],
    };
    expect(parseEndpointSlice(object)).toEqual({
      ok: true,
      value: {
        ...SLICE,
        metadata: { ...SLICE.metadata, namespace: "default" },
        endpoints,
        ports: [{ name: "ws", port: 80, protocol: "TCP" }],
      },
    });
  });

  test("may come with null in place of its lists, as Go writes them", () => {
    expect(parseEndpointSlice({ ...SLICE, endpoints: null, ports: null }).ok).toBe(true);
  });

  test.for([
    { addressType: "IPv4", good: ["10.0.0.1", "127.0.0.1"], bad: ["::1", "10.0.0.256", "10.0.0", "localhost", ""] },
    {
      addressType: "IPv6",
      good: ["::1", "2001:db8::1"],
      bad: ["10.0.0.1", "2001:db8::g", "localhost", "fe80::1%eth0"],
    },
    { addressType: "FQDN", good: ["chat.example.com"], bad: ["chat_1.example.com", "::1", ""] },
  ])("has addresses of its type $addressType only", ({ addressType, good, bad }) => {
    const parse = (address: string) =>
      parseEndpointSlice({ ...SLICE, addressType, endpoints: [{ addresses: [address] }] });
    for (const address of good) expect(parse(address)).toMatchObject({ ok: true });
    for (const address of bad) {
      expect(parse(address)).toMatchObject({ ok: false, issues: [{ field: "endpoints[0].addresses[0]" }] });
    }
  });

  test.for([
    { name: "without an address type", change: { addressType: undefined }, field: "addressType" },
    { name: "with an unknown address type", change: { addressType: "MAC" }, field: "addressType" },
    {
      name: "with an endpoint without addresses",
      change: { endpoints: [{ addresses: [] }] },
      field: "endpoints[0].addresses",
    },
    {
      name: "with a condition that is no truth value",
      change: { endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready: "yes" } }] },
      field: "endpoints[0].conditions.ready",
    },
    {
      name: "with hints that name no zone",
      change: { endpoints: [{ addresses: ["10.0.0.1"], hints: { forZones: ["a"] } }] },
      field: "endpoints[0].hints.forZones[0]",
    },
    { name: "with a port out of range", change: { ports: [{ port: 70_000 }] }, field: "ports[0].port" },
    { name: "of another kind", change: { kind: "Endpoints" }, field: "kind" },
  ])("is refused $name", ({ change, field }) => {
    const parsed = parseEndpointSlice({ ...SLICE, ...change });
    expect(parsed.ok ? [] : parsed.issues.map((issue) => issue.field)).toEqual([field]);
  });
});

const CLASS = {
  apiVersion: "networking.k8s.io/v1",
  kind: "IngressClass",
  metadata: { name: "holdfast", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
  spec: { controller: "holdfast.dev/ingress" },
};

describe("an IngressClass", () => {
  test("is read as far as it is used, whatever is said of a namespace", () => {
    const parameters = { apiGroup: "k8s.example", kind: "Parameters", name: "a" };
    const metadata = { ...CLASS.metadata, namespace: "", uid: "1", labels: null, creationTimestamp: null };
    expect(parseIngressClass({ ...CLASS, metadata, spec: { ...CLASS.spec, parameters } })).toEqual({
      ok: true,
      value: CLASS,
    });
    expect(parseIngressClass({ ...CLASS, metadata: { name: "a", annotations: null } }).ok).toBe(true);
  });

  test.for([
    { name: "without a controller", change: { spec: {} }, field: "spec.controller" },
    { name: "without a spec", change: { spec: undefined }, field: "spec" },
    { name: "without a name", change: { metadata: {} }, field: "metadata.name" },
    { name: "of an older version", change: { apiVersion: "networking.k8s.io/v1beta1" }, field: "apiVersion" },
  ])("is refused $name", ({ change, field }) => {
    const parsed = parseIngressClass({ ...CLASS, ...change });
    expect(parsed.ok ? [] : parsed.issues.map((issue) => issue.field)).toEqual([field]);
  });
});

const GRANT = {
  apiVersion: "gateway.networking.k8s.io/v1beta1",
  kind: "ReferenceGrant",
  metadata: { name: "let-in", namespace: "shared" },
  spec: {
    from: [{ group: "holdfast.dev", kind: "WebSocketRoute", namespace: "apps" }],
    to: [
      { group: "", kind: "Service" },
      { group: "", kind: "Secret", name: "tls" },
    ],
  },
};

describe("a ReferenceGrant", () => {
  test("is read in both of its versions", () => {
    for (const version of ["v1", "v1beta1"]) {
      const object = { ...GRANT, apiVersion: `gateway.networking.k8s.io/${version}` };
      expect(parseReferenceGrant({ ...object, status: {} })).toEqual({ ok: true, value: object });
    }
  });

  const from = GRANT.spec.from;
  test.for([
    {
      name: "of another version",
      change: { apiVersion: "gateway.networking.k8s.io/v1alpha2" },
      field: "apiVersion",
    },
    { name: "from nobody", change: { spec: { ...GRANT.spec, from: [] } }, field: "spec.from" },
    { name: "to nothing", change: { spec: { from } }, field: "spec.to" },
    {
      name: "to a kind without a group",
      change: { spec: { from, to: [{ kind: "Service" }] } },
      field: "spec.to[0].group",
    },
    {
      name: "from a namespace that is none",
      change: { spec: { ...GRANT.spec, from: [{ ...from[0], namespace: "*" }] } },
      field: "spec.from[0].namespace",
    },
  ])("is refused $name", ({ change, field }) => {
    const parsed = parseReferenceGrant({ ...GRANT, ...change });
    expect(parsed.ok ? [] : parsed.issues.map((issue) => issue.field)).toEqual([field]);
  });
});
