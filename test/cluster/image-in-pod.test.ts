import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { endpointSlices, route, service } from "../integration/fixtures/manifests.ts";
import { NumberedBackend } from "../integration/fixtures/numbered-backend.ts";
import { landing } from "../integration/fixtures/numbered-client.ts";
import { exchange } from "../integration/fixtures/raw.ts";
import { Cluster, HOME_NAMESPACE } from "./fixtures/cluster.ts";
import { ClusterWorld } from "./fixtures/cluster-world.ts";
import { helm } from "./fixtures/helm.ts";
import { Image, whyNoBuild } from "./images/image.ts";

const chart = resolve(import.meta.dirname, "../../charts/holdfast");
const HOST = "chat.example";
const READYZ = "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
/** Where the kubelet mounts what a Pod has of its ServiceAccount. */
const CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount";

const reason = whyNoBuild();

interface PodContainer {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts: readonly { readonly mountPath: string }[];
}

/** The container of the chart's Deployment. */
async function chartContainer(): Promise<PodContainer> {
  const text = await helm(["template", "holdfast", chart, "-n", HOME_NAMESPACE, "-s", "templates/deployment.yaml"]);
  const deployment = parse(text) as {
    readonly spec: { readonly template: { readonly spec: { readonly containers: readonly [PodContainer] } } };
  };
  return deployment.spec.template.spec.containers[0];
}

/** What the kubelet would mount into a Pod of the chart's ServiceAccount. */
async function writeCredentials(folder: string, cluster: Cluster): Promise<void> {
  const token = await cluster.plane.kubectl(["create", "token", "holdfast", "-n", HOME_NAMESPACE]);
  await chmod(folder, 0o755);
  await writeFile(join(folder, "token"), token.trim());
  await writeFile(join(folder, "namespace"), HOME_NAMESPACE);
  await writeFile(join(folder, "ca.crt"), cluster.plane.credentials.ca);
}

describe.skipIf(reason !== undefined && process.env["CI"] !== "true")(
  reason === undefined ? "the image as the chart runs it" : `the image as the chart runs it (${reason})`,
  () => {
    test("serves what the API server has, with the credentials of its Pod", async () => {
      await using cluster = await Cluster.start();
      await using image = await Image.build();
      await using backend = await NumberedBackend.start("b1", { host: "198.18.6.1", port: 8010 });
      const folder = await mkdtemp(join(tmpdir(), "holdfast-credentials-"));
      try {
        await writeCredentials(folder, cluster);
        const { args, env, volumeMounts } = await chartContainer();
        const { hostname, port } = new URL(cluster.plane.server);
        const given = env.map(({ name, value }) => [name, value ?? "holdfast-0"]);
        await using holdfast = image.run(args, {
          env: { ...Object.fromEntries(given), KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
          folders: { [CREDENTIALS]: folder },
          // The chart has no volume but the one of the operators' socket.
          memory: volumeMounts.map(({ mountPath }) => mountPath),
        });
        await Promise.all([holdfast.address("http"), holdfast.address("admin")]);
        await expect.poll(() => exchange("127.0.0.1:9090", READYZ), { timeout: 20_000 }).toMatch(/^HTTP\/1.1 200 /);

        const world = new ClusterWorld(cluster.plane.kubeconfig);
        const chat = route("chat").host(HOST).to("chat", 80).manifest();
        await world.write("chat", [service("chat", 80), ...endpointSlices("chat", [backend]), chat]);
        await expect.poll(() => landing("ws://127.0.0.1:8080/", HOST), { timeout: 20_000 }).toBe("b1");

        // As by `kubectl exec`: no flags, the socket and the name of the replica are the Pod's.
        const { code, out, err } = await holdfast.exec(["holdfast", "backends", "-o", "json"]);
        expect({ code, err }).toEqual({ code: 0, err: "" });
        expect(JSON.parse(out)).toMatchObject({ replica: "holdfast-0", items: [{ backend: "198.18.6.1:8010" }] });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  },
);
