import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HoldfastProcess } from "../integration/fixtures/holdfast.ts";
import type { Manifest } from "../integration/fixtures/manifests.ts";
import { NumberedBackend } from "../integration/fixtures/numbered-backend.ts";
import { landing } from "../integration/fixtures/numbered-client.ts";
import { Cluster } from "./fixtures/cluster.ts";
import { ClusterWorld } from "./fixtures/cluster-world.ts";

const RUNS = 12;

let cluster: Cluster;
let world: ClusterWorld;
let holdfast: HoldfastProcess;
let http: string;
let backends: readonly NumberedBackend[];
beforeAll(async () => {
  cluster = await Cluster.start();
  world = new ClusterWorld(cluster.plane.kubeconfig);
  backends = await Promise.all(
    [1, 2, 3].map((n) => NumberedBackend.start(`b${n}`, { host: `198.18.6.${n}`, port: 8010 })),
  );
  ({ holdfast, http } = await cluster.serve());
});
afterAll(async () => {
  await holdfast[Symbol.asyncDispose]();
  for (const backend of backends) await backend[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

function slice(namespace: string, service: string, host: string): Manifest {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${service}-${host.replaceAll(".", "-")}`,
      namespace,
      labels: { "kubernetes.io/service-name": service },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: [{ name: "ws", port: 8010 }],
  };
}

function service(namespace: string, name: string): Manifest {
  const spec = { ports: [{ name: "ws", port: 80 }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec };
}

/** A route of one namespace to a Service of its own and to one of another, and all that both need. */
function objectsOf(own: string, other: string, host: string): readonly Manifest[] {
  const backendRefs = [
    { name: "chat", port: 80 },
    { name: "shared", namespace: other, port: 80 },
  ];
  return [
    {
      apiVersion: "holdfast.dev/v1alpha1",
      kind: "WebSocketRoute",
      metadata: { name: "chat", namespace: own },
      spec: { ingressClassName: "holdfast", hostnames: [host], rules: [{ backendRefs }] },
    },
    service(own, "chat"),
    slice(own, "chat", "198.18.6.1"),
    slice(own, "chat", "198.18.6.2"),
    service(other, "shared"),
    slice(other, "shared", "198.18.6.3"),
    {
      apiVersion: "gateway.networking.k8s.io/v1beta1",
      kind: "ReferenceGrant",
      metadata: { name: "from-chat", namespace: other },
      spec: {
        from: [{ group: "holdfast.dev", kind: "WebSocketRoute", namespace: own }],
        to: [{ group: "", kind: "Service", name: "shared" }],
      },
    },
  ];
}

async function statusOf(
  namespace: string,
): Promise<{ readonly conditions: readonly string[]; readonly backends: object | undefined }> {
  const text = await cluster.plane.kubectl(["-n", namespace, "get", "wsr", "chat", "-o", "json"]);
  interface Seen {
    readonly status?: {
      readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
      readonly backends?: object;
    };
  }
  const { status } = JSON.parse(text) as Seen;
  const conditions = (status?.conditions ?? []).map(
    ({ type, status: holds, message }) => `${type} ${holds} ${message}`,
  );
  return { conditions: conditions.sort(), backends: status?.backends };
}

test("a route, its Services, their endpoints and a grant, created in any order and some of them deleted and created again, end in the same state", async () => {
  let run = 0;
  const count = objectsOf("", "", "").length;
  const steps = fc.record({
    order: fc.shuffledSubarray(
      Array.from({ length: count }, (_, index) => index),
      { minLength: count },
    ),
    again: fc.subarray(Array.from({ length: count }, (_, index) => index)),
  });
  await fc.assert(
    fc.asyncProperty(steps, async ({ order, again }) => {
      const number = run++;
      const [own, other, host] = [`own-${number}`, `other-${number}`, `h${number}.example.com`];
      await cluster.plane.apply(
        [own, other].map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })),
      );
      const objects = objectsOf(own, other, host);
      for (const index of order) {
        await world.apply(objects[index]!);
        if (!again.includes(index)) continue;
        await world.remove(objects[index]!);
        await world.apply(objects[index]!);
      }
      await expect
        .poll(
          async () => new Set(await Promise.all(Array.from({ length: 12 }, () => landing(`ws://${http}/`, host)))),
          {
            timeout: 10_000,
          },
        )
        .toEqual(new Set(["b1", "b2", "b3"]));
      await expect
        .poll(async () => (await statusOf(own)).conditions, { timeout: 10_000 })
        .toEqual(["Accepted True ", "Programmed True ", "ResolvedRefs True "]);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  // Counts follow lazily, so that churn does not become writes.
  for (let number = 0; number < run; number++) {
    await expect
      .poll(async () => (await statusOf(`own-${number}`)).backends, { timeout: 45_000 })
      .toEqual({ ready: 3, draining: 0 });
  }
});
