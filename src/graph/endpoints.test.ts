import { describe, expect, test } from "vitest";
import { upstreamKey } from "../routing/index.ts";
import { type ClusterSnapshot, newGraphCache, resolveEndpoints } from "./index.ts";

const CHAT = upstreamKey("apps", "chat", 80);

interface SliceParts {
  readonly addressType?: string;
  readonly ports?: unknown;
  readonly endpoints: readonly unknown[];
}

function sliceOf({ addressType = "IPv4", ports = [{ name: "ws", port: 8010 }], endpoints }: SliceParts): unknown {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "chat-1", namespace: "apps", labels: { "kubernetes.io/service-name": "chat" } },
    addressType,
    ports,
    endpoints,
  };
}

function snapshotOf(spec: unknown, slices: readonly unknown[]): ClusterSnapshot {
  const service = { apiVersion: "v1", kind: "Service", metadata: { name: "chat", namespace: "apps" }, spec };
  return {
    list: (kind) => (kind === "Service" && spec !== undefined ? new Map([["apps/chat", service]]) : new Map()),
    slicesOf: (name) => (name === "apps/chat" ? slices : []),
  };
}

const SPEC = { ports: [{ name: "ws", port: 80, targetPort: 8010 }] };
const at = (address: string, more: object = {}): object => ({ addresses: [address], ...more });
const pod = (uid: string): object => ({ targetRef: { kind: "Pod", name: uid, uid } });

describe("conditions of an endpoint", () => {
  test.for([
    { name: "nothing said is ready", conditions: undefined, want: [true, true, false] },
    { name: "no condition said is ready", conditions: {}, want: [true, true, false] },
    { name: "not ready is not serving", conditions: { ready: false }, want: [false, false, false] },
    {
      name: "serving may be said apart",
      conditions: { ready: false, serving: true, terminating: true },
      want: [false, true, true],
    },
  ])("$name", ({ conditions, want }) => {
    const slice = sliceOf({ endpoints: [at("10.0.0.1", { conditions })] });
    const [endpoint] = resolveEndpoints(snapshotOf(SPEC, [slice]), CHAT);
    expect([endpoint!.ready, endpoint!.serving, endpoint!.terminating]).toEqual(want);
  });
});

describe("ports", () => {
  const one = [at("10.0.0.1")];
  test.for<{ name: string; spec: unknown; ports: unknown; want: number | undefined }>([
    {
      name: "the slice's port of that name is where the Pods listen",
      spec: SPEC,
      ports: [
        { name: "x", port: 1 },
        { name: "ws", port: 9000 },
      ],
      want: 9000,
    },
    {
      name: "a port without a name belongs to a Service port without one",
      spec: { ports: [{ port: 80 }] },
      ports: [{ port: 9000 }],
      want: 9000,
    },
    {
      name: "a slice without that port has no endpoints",
      spec: SPEC,
      ports: [{ name: "x", port: 1 }],
      want: undefined,
    },
    { name: "a slice without ports has no endpoints", spec: SPEC, ports: null, want: undefined },
    {
      name: "a slice for every port leaves it to a number in targetPort",
      spec: SPEC,
      ports: [{ name: "ws" }],
      want: 8010,
    },
    {
      name: "a slice for every port leaves it to port where targetPort is a name",
      spec: { ports: [{ name: "ws", port: 80, targetPort: "web" }] },
      ports: [{ name: "ws" }],
      want: 80,
    },
    {
      name: "a UDP port of the same name is another port",
      spec: SPEC,
      ports: [{ name: "ws", port: 1, protocol: "UDP" }],
      want: undefined,
    },
    {
      name: "an ExternalName without ports is dialled at the backendRef's port",
      spec: { type: "ExternalName", externalName: "a.example" },
      ports: [{ port: 1 }],
      want: 80,
    },
    {
      name: "an ExternalName with ports is dialled at its own where the slice knows none",
      spec: { type: "ExternalName", externalName: "a.example", ports: [{ name: "ws", port: 80 }] },
      ports: [],
      want: 80,
    },
    {
      name: "an ExternalName with other ports has none",
      spec: { type: "ExternalName", externalName: "a.example", ports: [{ name: "ws", port: 81 }] },
      ports: [],
      want: undefined,
    },
    {
      name: "a Service that does not exist has no endpoints",
      spec: undefined,
      ports: [{ name: "ws", port: 1 }],
      want: undefined,
    },
    {
      name: "a Service that cannot be understood has no endpoints",
      spec: 7,
      ports: [{ name: "ws", port: 1 }],
      want: undefined,
    },
  ])("$name", ({ spec, ports, want }) => {
    const [endpoint] = resolveEndpoints(snapshotOf(spec, [sliceOf({ ports, endpoints: one })]), CHAT);
    expect(endpoint?.port).toBe(want);
  });
});

describe("several slices", () => {
  const addresses = (spec: unknown, slices: readonly unknown[]): string[] =>
    resolveEndpoints(snapshotOf(spec, slices), CHAT).map(({ address, podUid }) => `${address} ${podUid ?? "-"}`);

  test("they are merged, and come in order of address and Pod", () => {
    const first = sliceOf({ endpoints: [at("10.0.0.2", pod("b")), at("10.0.0.1", pod("z"))] });
    const second = sliceOf({ endpoints: [at("10.0.0.1", pod("a")), at("10.0.0.0")] });
    const want = ["10.0.0.0 -", "10.0.0.1 a", "10.0.0.1 z", "10.0.0.2 b"];
    expect(addresses(SPEC, [first, second])).toEqual(want);
    expect(addresses(SPEC, [second, first])).toEqual(want);
  });

  test("a Pod that stands in two slices counts once, and as ready if either says so", () => {
    const notReady = sliceOf({ endpoints: [at("10.0.0.1", { ...pod("a"), conditions: { ready: false } })] });
    const ready = sliceOf({ endpoints: [at("10.0.0.1", { ...pod("a"), conditions: { ready: true } })] });
    for (const slices of [
      [notReady, ready],
      [ready, notReady],
    ]) {
      const endpoints = resolveEndpoints(snapshotOf(SPEC, slices), CHAT);
      expect(endpoints.map(({ ready: isReady, serving }) => [isReady, serving])).toEqual([[true, true]]);
    }
  });

  test("a UID of something that is no Pod says nothing", () => {
    expect(
      addresses(SPEC, [sliceOf({ endpoints: [at("10.0.0.1", { targetRef: { kind: "Node", uid: "n" } })] })]),
    ).toEqual(["10.0.0.1 -"]);
  });

  test("every address that a manifest lists is an endpoint", () => {
    const slice = sliceOf({ endpoints: [{ addresses: ["127.0.0.2", "127.0.0.1"] }] });
    expect(addresses(SPEC, [slice])).toEqual(["127.0.0.1 -", "127.0.0.2 -"]);
  });

  const both = [
    sliceOf({ endpoints: [at("10.0.0.1")] }),
    sliceOf({ addressType: "IPv6", endpoints: [at("fd00::1")] }),
    sliceOf({ addressType: "FQDN", endpoints: [at("pod.example.com")] }),
  ];
  test.for([
    {
      name: "of two families the Service's first is used",
      spec: { ...SPEC, ipFamilies: ["IPv6", "IPv4"] },
      want: ["fd00::1 -"],
    },
    { name: "a Service that names no family has both", spec: SPEC, want: ["10.0.0.1 -", "fd00::1 -"] },
  ])("$name, and names are never dialled", ({ spec, want }) => {
    expect(addresses(spec, both)).toEqual(want);
  });

  test("a slice that cannot be understood is passed over", () => {
    const bad = sliceOf({ endpoints: [{ addresses: "10.0.0.9" }] });
    expect(addresses(SPEC, [bad, null, 7, sliceOf({ endpoints: [at("10.0.0.1")] })])).toEqual(["10.0.0.1 -"]);
  });
});

test("with a cache the answer is the same, and follows a slice that was replaced", () => {
  const cache = newGraphCache();
  const slice = sliceOf({ endpoints: [at("10.0.0.1")] });
  const first = resolveEndpoints(snapshotOf(SPEC, [slice]), CHAT, cache);
  expect(resolveEndpoints(snapshotOf(SPEC, [slice]), CHAT, cache)).toEqual(first);
  const replaced = sliceOf({ endpoints: [at("10.0.0.2")] });
  expect(resolveEndpoints(snapshotOf(SPEC, [replaced]), CHAT, cache).map(({ address }) => address)).toEqual([
    "10.0.0.2",
  ]);
});
