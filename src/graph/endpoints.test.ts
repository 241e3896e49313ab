import { describe, expect, test } from "vitest";
import { upstreamKey } from "../routing/index.ts";
import { type ClusterSnapshot, newGraphCache, resolveEndpoints } from "./index.ts";

const CHAT = upstreamKey("apps", "chat", 80);
const FOLLOW = { externalNames: "Follow" } as const;

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
    const [endpoint] = resolveEndpoints(snapshotOf(SPEC, [slice]), CHAT, FOLLOW);
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
      name: "a slice's port is found by the Service port's name, not by its number",
      spec: {
        ports: [
          { name: "admin", port: 8010 },
          { name: "ws", port: 80 },
        ],
      },
      ports: [
        { name: "admin", port: 80 },
        { name: "ws", port: 8010 },
      ],
      want: 8010,
    },
    {
      name: "each slice says by itself where its Pods listen, as with a port by name",
      spec: { ports: [{ name: "ws", port: 80, targetPort: "web" }] },
      ports: [{ name: "ws", port: 3000 }],
      want: 3000,
    },
    {
      name: "a headless Service's Pods are dialled where they listen",
      spec: { clusterIP: "None", ...SPEC },
      ports: [{ name: "ws", port: 9000 }],
      want: 9000,
    },
    {
      name: "a headless Service without ports has none to dial",
      spec: { clusterIP: "None" },
      ports: [],
      want: undefined,
    },
    ...["kubernetes.io/ws", "kubernetes.io/wss", "http", "kubernetes.io/h2c", "example.com/anything"].map(
      (appProtocol) => ({
        name: `a Service port of appProtocol ${appProtocol} is like any other`,
        spec: { ports: [{ name: "ws", port: 80, appProtocol }] },
        ports: [{ name: "ws", port: 9000, appProtocol }],
        want: 9000,
      }),
    ),
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
    const [endpoint] = resolveEndpoints(snapshotOf(spec, [sliceOf({ ports, endpoints: one })]), CHAT, FOLLOW);
    expect(endpoint?.port).toBe(want);
  });
});

describe("several slices", () => {
  const addresses = (spec: unknown, slices: readonly unknown[]): string[] =>
    resolveEndpoints(snapshotOf(spec, slices), CHAT, FOLLOW).map(
      ({ address, podUid }) => `${address} ${podUid ?? "-"}`,
    );

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
      const endpoints = resolveEndpoints(snapshotOf(SPEC, slices), CHAT, FOLLOW);
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

  test.for<{ name: string; spec: object; want: string[] }>([
    { name: "an IPv4 cluster IP", spec: { clusterIP: "10.96.0.1" }, want: ["10.0.0.1 -"] },
    { name: "an IPv6 cluster IP", spec: { clusterIP: "fd00:96::1" }, want: ["fd00::1 -"] },
    {
      name: "the first of two cluster IPs",
      spec: { clusterIP: "fd00:96::1", clusterIPs: ["fd00:96::1", "10.96.0.1"] },
      want: ["fd00::1 -"],
    },
    {
      name: "ipFamilies before the cluster IP",
      spec: { clusterIP: "10.96.0.1", ipFamilies: ["IPv6"] },
      want: ["fd00::1 -"],
    },
    {
      name: "ipFamilies of a headless Service",
      spec: { clusterIP: "None", clusterIPs: ["None"], ipFamilies: ["IPv4", "IPv6"] },
      want: ["10.0.0.1 -"],
    },
    {
      name: "nothing where a headless Service names no family",
      spec: { clusterIP: "None", clusterIPs: ["None"] },
      want: ["10.0.0.1 -", "fd00::1 -"],
    },
    { name: "nothing where there is no cluster IP yet", spec: { clusterIP: "" }, want: ["10.0.0.1 -", "fd00::1 -"] },
  ])("the family is told by $name", ({ spec, want }) => {
    expect(addresses({ ...SPEC, ...spec }, both)).toEqual(want);
  });

  test("an address that another Pod got is two endpoints", () => {
    const slices = [
      sliceOf({ endpoints: [at("10.0.0.1", pod("old"))] }),
      sliceOf({ endpoints: [at("10.0.0.1", pod("new"))] }),
    ];
    expect(addresses(SPEC, slices)).toEqual(["10.0.0.1 new", "10.0.0.1 old"]);
  });

  test("a slice that cannot be understood is passed over", () => {
    const bad = sliceOf({ endpoints: [{ addresses: "10.0.0.9" }] });
    expect(addresses(SPEC, [bad, null, 7, sliceOf({ endpoints: [at("10.0.0.1")] })])).toEqual(["10.0.0.1 -"]);
  });
});

describe("a Service that publishes Pods which are not ready", () => {
  const spec = { ...SPEC, publishNotReadyAddresses: true };
  test.for([
    { name: "has them used", conditions: { ready: false }, want: [true, false] },
    { name: "has ready ones used", conditions: { ready: true }, want: [true, false] },
    {
      name: "has those that terminate drain all the same",
      conditions: { ready: true, serving: true, terminating: true },
      want: [true, true],
    },
    {
      name: "has those that terminate and are not ready drain too",
      conditions: { ready: false, serving: false, terminating: true },
      want: [true, true],
    },
  ])("$name", ({ conditions, want }) => {
    const slice = sliceOf({ endpoints: [at("10.0.0.1", { conditions })] });
    const [endpoint] = resolveEndpoints(snapshotOf(spec, [slice]), CHAT, FOLLOW);
    expect([endpoint!.ready, endpoint!.terminating]).toEqual(want);
  });

  test("does so only when it says so", () => {
    const slice = sliceOf({ endpoints: [at("10.0.0.1", { conditions: { ready: false } })] });
    const not = { ...SPEC, publishNotReadyAddresses: false };
    expect(resolveEndpoints(snapshotOf(not, [slice]), CHAT, FOLLOW)[0]!.ready).toBe(false);
  });
});

describe("hints of zones", () => {
  const inZones = (...names: string[]): object => ({ hints: { forZones: names.map((name) => ({ name })) } });
  const unready = { conditions: { ready: false } };
  const zonesOf = (slices: readonly unknown[]) =>
    resolveEndpoints(snapshotOf(SPEC, slices), CHAT, FOLLOW).map(({ zones }) => zones);

  test.for<{ name: string; endpoints: readonly (readonly unknown[])[]; want: (readonly string[] | undefined)[] }>([
    {
      name: "are told when every endpoint has them, over all slices",
      endpoints: [[at("10.0.0.1", inZones("a"))], [at("10.0.0.2", inZones("b", "c"))]],
      want: [["a"], ["b", "c"]],
    },
    {
      name: "are passed over when one slice has none",
      endpoints: [[at("10.0.0.1", inZones("a"))], [at("10.0.0.2")]],
      want: [undefined, undefined],
    },
    {
      name: "are passed over when one endpoint has an empty list of them",
      endpoints: [[at("10.0.0.1", inZones("a")), at("10.0.0.2", inZones())]],
      want: [undefined, undefined],
    },
    {
      name: "need not be there for an endpoint that is not ready",
      endpoints: [[at("10.0.0.1", inZones("a")), at("10.0.0.2", unready)]],
      want: [["a"], undefined],
    },
    {
      name: "are not needed",
      endpoints: [[at("10.0.0.1"), at("10.0.0.2", { hints: {} })]],
      want: [undefined, undefined],
    },
  ])("$name", ({ endpoints, want }) => {
    expect(zonesOf(endpoints.map((ofSlice) => sliceOf({ endpoints: ofSlice })))).toEqual(want);
  });
});

test("an ExternalName that is refused has no endpoints, whoever wrote slices for it", () => {
  const spec = { type: "ExternalName", externalName: "a.example", ...SPEC };
  const snapshot = snapshotOf(spec, [sliceOf({ endpoints: [at("10.0.0.1")] })]);
  expect(resolveEndpoints(snapshot, CHAT, FOLLOW)).toHaveLength(1);
  expect(resolveEndpoints(snapshot, CHAT, { externalNames: "Refuse" })).toEqual([]);
  expect(
    resolveEndpoints(snapshotOf(SPEC, [sliceOf({ endpoints: [at("10.0.0.1")] })]), CHAT, { externalNames: "Refuse" }),
  ).toHaveLength(1);
});

test("with a cache the answer is the same, and follows a slice that was replaced", () => {
  const cache = newGraphCache();
  const slice = sliceOf({ endpoints: [at("10.0.0.1")] });
  const first = resolveEndpoints(snapshotOf(SPEC, [slice]), CHAT, FOLLOW, cache);
  expect(resolveEndpoints(snapshotOf(SPEC, [slice]), CHAT, FOLLOW, cache)).toEqual(first);
  const replaced = sliceOf({ endpoints: [at("10.0.0.2")] });
  expect(resolveEndpoints(snapshotOf(SPEC, [replaced]), CHAT, FOLLOW, cache).map(({ address }) => address)).toEqual([
    "10.0.0.2",
  ]);
});
