import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiError, type WatchApi } from "../../src/kube/index.ts";
import { whyNoCluster } from "./fixtures/cluster-tools.ts";
import { ControlPlane } from "./fixtures/control-plane.ts";
import { FaultyProxy } from "./fixtures/faulty-proxy.ts";
import { kubeconfigBy } from "./fixtures/kubeconfig-by.ts";
import { namespace, route, service, slice, Writer } from "./kube-source-objects.fixture.ts";
import { addressesOf, everything, follow, type Following, namesOf } from "./kube-source.fixture.ts";

const SOON = { timeout: 30_000 };
const problemsOf = ({ source }: Following) => source.problems().map(({ what }) => what);

/** A ServiceAccount in apps that may do everything. */
function adminAccount(name: string): readonly object[] {
  const metadata = { name, namespace: "apps" };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ kind: "ServiceAccount", ...metadata }],
    },
  ];
}

/** Notes the statuses of answers that were refusals. */
async function noting<Value>(seen: number[], answer: Promise<Value>): Promise<Value> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError) seen.push(error.status);
    throw error;
  }
}

describe.skipIf(whyNoCluster() !== undefined)("the Kubernetes source in trouble", () => {
  let plane: ControlPlane;
  let writer: Writer;

  beforeAll(async () => {
    plane = await ControlPlane.start({ controllerManager: "none" });
    writer = new Writer(plane);
    await plane.installCrds();
    await writer.apply(namespace("apps"));
    await writer.apply(service("chat", 80));
    await writer.apply(slice("chat-1", "chat", ["198.18.0.1"]));
    await writer.apply(route("chat", "chat.example"));
  });
  afterAll(() => plane?.[Symbol.asyncDispose]());

  /** By way of a proxy that can be broken. */
  async function followBy(proxy: FaultyProxy, options: Parameters<typeof follow>[0] = {}): Promise<Following> {
    const following = await follow({ kubeconfig: await kubeconfigBy(plane.kubeconfig, proxy), ...options });
    await following.started;
    // All watches are open.
    await expect.poll(() => proxy.open, SOON).toBeGreaterThanOrEqual(4);
    return following;
  }

  test.for(["SIGKILL", "SIGTERM"] as const)(
    "an API server that ends by %s and comes back: what was said last stays, then all is followed again",
    async (signal) => {
      const following = await follow({ kubeconfig: plane.kubeconfig });
      await following.started;
      const before = everything(following, "apps");
      await plane.stopApiServer(signal);
      try {
        const required = ["WebSocketRoute", "Service", "EndpointSlice", "IngressClass"];
        await expect.poll(() => problemsOf(following), SOON).toEqual(expect.arrayContaining(required));
        expect(everything(following, "apps")).toEqual(before);
      } finally {
        await plane.startApiServer();
      }
      await writer.apply(slice("chat-1", "chat", ["198.18.0.1", "198.18.0.2"]));
      await expect.poll(() => addressesOf(following, "apps/chat"), SOON).toEqual(["198.18.0.1", "198.18.0.2"]);
      await expect.poll(() => problemsOf(following), SOON).toEqual([]);
      // Of all that was read anew only what changed was told of; the API server keeps a slice of its own.
      const told = new Set(following.changes.flatMap((change) => ("service" in change ? change.service : change.kind)));
      told.delete("default/kubernetes");
      expect(told).toEqual(new Set(["statuses", "apps/chat"]));
      await writer.apply(slice("chat-1", "chat", ["198.18.0.1"]));
    },
  );

  test("watches that are cut: what changes is followed each time, what does not is not told of", async () => {
    await using proxy = await FaultyProxy.start(plane.server);
    const following = await followBy(proxy);
    for (const port of [101, 102, 103]) {
      proxy.cut();
      await writer.apply(service("cut", port));
      const spec = { ports: [expect.objectContaining({ port })] };
      await expect
        .poll(() => following.source.snapshot().list("Service").get("apps/cut"), SOON)
        .toMatchObject({ spec });
    }
    expect(new Set(following.changes.map((change) => JSON.stringify(change)))).toEqual(
      // A list cannot tell whether a status has changed.
      new Set(['{"kind":"services","service":"apps/cut"}', '{"kind":"statuses"}']),
    );
  });

  test("watches that freeze: the silence is noticed and a new list tells what was missed", async () => {
    await using proxy = await FaultyProxy.start(plane.server);
    const following = await followBy(proxy, { silenceMs: 3000 });
    proxy.freeze();
    await writer.apply(service("frozen", 80));
    await expect.poll(() => namesOf(following, "Service"), SOON).toContain("frozen");
    expect(following.log.lines.map(({ fields }) => JSON.stringify(fields)).join()).toMatch(/has said nothing for 3 s/);
    // The frozen ones were closed, as the proxy sees now: four watches are left, and four connections for the next request.
    proxy.thaw();
    await expect.poll(() => proxy.open, SOON).toBeLessThanOrEqual(8);
  });

  test("an API server that cannot be reached, then slowly: both are no more than a wait", async () => {
    await using proxy = await FaultyProxy.start(plane.server);
    const following = await followBy(proxy);
    await proxy.refuse();
    await writer.apply(service("unreached", 80));
    await expect.poll(() => problemsOf(following), SOON).toContain("Service");
    expect(following.source.problems()[0]?.message).toMatch(/127\.0\.0\.1:\d+ cannot be reached: connect ECONNREFUSED/);
    proxy.delay(300);
    await proxy.accept();
    await expect.poll(() => namesOf(following, "Service"), SOON).toContain("unreached");
    await expect.poll(() => problemsOf(following), SOON).toEqual([]);
  });

  test("healthy watches of which nothing happens are left alone, and their bookmarks count as signs of life", async () => {
    const asked: string[] = [];
    const wrap = (api: WatchApi): WatchApi => ({
      page: (request) => {
        if (request.query["limit"] !== "1") asked.push(`list ${request.path}`);
        return api.page(request);
      },
      watch: (request, onEvents) => {
        asked.push(`watch ${request.path}`);
        return api.watch(request, onEvents);
      },
    });
    const following = await follow({ kubeconfig: plane.kubeconfig, absentRetryMs: 3_600_000, wrap });
    await following.started;
    const startMs = Date.now();
    // Longer than the silence that counts as death.
    const isOld = ([kind, ms]: [string, number]) => kind === "ReferenceGrant" || ms - startMs > 80_000;
    const allAreOld = () => [...following.source.freshness()].every(isOld);
    await expect.poll(allAreOld, { timeout: 160_000, interval: 1000 }).toBe(true);
    expect(asked.filter((each) => each.startsWith("watch"))).toHaveLength(4);
    // Those of ReferenceGrant found nothing.
    expect(asked.filter((each) => each.startsWith("list"))).toHaveLength(4 + 2);
  });

  test("watches that the server ends in their time go on without a list, and miss nothing", async () => {
    let lists = 0;
    let watches = 0;
    const wrap = (api: WatchApi): WatchApi => ({
      page: (request) => {
        if (request.path.endsWith("/services")) lists += 1;
        return api.page(request);
      },
      watch: (request, onEvents) => {
        if (request.path.endsWith("/services")) watches += 1;
        return api.watch(request, onEvents);
      },
    });
    const following = await follow({ kubeconfig: plane.kubeconfig, watchMs: 1000, wrap });
    await following.started;
    for (let port = 201; watches < 5; port++) {
      await writer.apply(service("ended", port));
      await expect
        .poll(() => following.source.snapshot().list("Service").get("apps/ended"), SOON)
        .toMatchObject({ spec: { ports: [{ port }] } });
    }
    expect(lists).toBe(1);
  });

  test("etcd restored to an older state: objects follow it, and also what comes while its versions are below those seen", async () => {
    const following = await follow({ kubeconfig: plane.kubeconfig });
    await following.started;
    await writer.apply(slice("chat-1", "chat", ["198.18.1.1"]));
    const saved = await plane.saveEtcd();
    for (let port = 1; port <= 60; port++) await writer.apply(service("ahead", port));
    await writer.apply(slice("chat-1", "chat", ["198.18.1.99"]));
    await expect.poll(() => addressesOf(following, "apps/chat"), SOON).toEqual(["198.18.1.99"]);
    await expect.poll(() => namesOf(following, "Service"), SOON).toContain("ahead");
    await plane.restoreEtcd(saved);
    await expect.poll(() => addressesOf(following, "apps/chat"), SOON).toEqual(["198.18.1.1"]);
    await expect.poll(() => namesOf(following, "Service"), SOON).not.toContain("ahead");
    // Far less than was written before: these versions were seen already, with other objects.
    for (const address of ["198.18.1.2", "198.18.1.3"]) {
      await writer.apply(slice("chat-1", "chat", [address]));
      await expect.poll(() => addressesOf(following, "apps/chat"), SOON).toEqual([address]);
    }
    await expect.poll(() => problemsOf(following), SOON).toEqual([]);
  });

  test("an API server that asks for patience (429) gets it, and is followed afterwards", async () => {
    const flowControl = "flowcontrol.apiserver.k8s.io/v1";
    // One request of this user at a time; whatever comes beside it is refused.
    const limited = {
      nominalConcurrencyShares: 0,
      lendablePercent: 0,
      borrowingLimitPercent: 0,
      limitResponse: { type: "Reject" },
    };
    const user = { kind: "ServiceAccount", serviceAccount: { name: "hurried", namespace: "apps" } };
    const everything = { namespaces: ["*"], clusterScope: true, verbs: ["*"], apiGroups: ["*"], resources: ["*"] };
    await plane.apply([
      ...adminAccount("hurried"),
      {
        apiVersion: flowControl,
        kind: "PriorityLevelConfiguration",
        metadata: { name: "one" },
        spec: { type: "Limited", limited },
      },
      {
        apiVersion: flowControl,
        kind: "FlowSchema",
        metadata: { name: "one" },
        spec: {
          matchingPrecedence: 2,
          priorityLevelConfiguration: { name: "one" },
          rules: [{ subjects: [user], resourceRules: [everything] }],
        },
      },
    ]);
    const kubeconfig = await plane.kubeconfigOf("apps", "hurried");
    const seen: number[] = [];
    let isCrowded = true;
    const crowd: Promise<void>[] = [];
    const following = await follow({
      kubeconfig,
      wrap: (api) => {
        const others = async (): Promise<void> => {
          const request = { path: "/api/v1/configmaps", query: {}, signal: new AbortController().signal };
          while (isCrowded) await api.page(request).catch(() => {});
        };
        for (let index = 0; index < 8; index++) crowd.push(others());
        return {
          page: (request) => noting(seen, api.page(request)),
          watch: (request, onEvents) => api.watch(request, onEvents),
        };
      },
    });
    await expect.poll(() => seen, SOON).toContain(429);
    isCrowded = false;
    await Promise.all(crowd);
    await following.started;
    expect(namesOf(following, "Service")).toContain("chat");
  });

  test("credentials are rotated: the old token ends, and the new one is read from the same file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-account-"));
    await using proxy = await FaultyProxy.start(plane.server);
    const secret = (name: string) => ({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "apps" } });
    await plane.apply([...adminAccount("rotated"), secret("old"), secret("new")]);
    const writeToken = async (boundTo: string): Promise<void> => {
      const bound = ["--bound-object-kind=Secret", `--bound-object-name=${boundTo}`];
      await writeFile(
        join(folder, "token"),
        await plane.kubectl(["create", "token", "rotated", "-n", "apps", ...bound]),
      );
    };
    await writeToken("old");
    await writeFile(join(folder, "ca.crt"), plane.credentials.ca);
    const env = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(proxy.port) };
    const following = await follow({ env, serviceAccountFolder: folder });
    await following.started;
    // A token that is bound to a Secret ends with it.
    await plane.kubectl(["delete", "secret", "old", "-n", "apps"]);
    const isRefused = () =>
      following.source.problems().some(({ message }) => message.includes("does not accept our credentials"));
    // The API server remembers for some seconds that a token was good.
    const cutUntilRefused = () => {
      if (!isRefused()) proxy.cut();
      return isRefused();
    };
    await expect.poll(cutUntilRefused, { timeout: 60_000, interval: 1000 }).toBe(true);
    await writer.apply(service("rotated", 80));
    await writeToken("new");
    await expect.poll(() => namesOf(following, "Service"), SOON).toContain("rotated");
    await expect.poll(() => problemsOf(following), SOON).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

describe.skipIf(whyNoCluster() !== undefined)("the Kubernetes source and a server that forgets", () => {
  let plane: ControlPlane;
  let writer: Writer;

  beforeAll(async () => {
    // Answers from etcd itself, which forgets all but the last second or two.
    const apiServerFlags = ["--watch-cache=false", "--etcd-compaction-interval=1s"];
    plane = await ControlPlane.start({ controllerManager: "none", apiServerFlags });
    writer = new Writer(plane);
    await plane.installCrds();
    await writer.apply(namespace("apps"));
    for (const name of ["a", "b", "c"]) await writer.apply(service(name, 80));
  });
  afterAll(() => plane?.[Symbol.asyncDispose]());

  /** Holds each request that `holds` names once, until the server has forgotten what it asks for. */
  function forgetful(seen: number[], holds: "pages" | "watches") {
    let isHeld = false;
    const forget = async (path: string): Promise<void> => {
      isHeld = true;
      const { metadata } = JSON.parse(await writer.call("GET", path)) as { metadata: { resourceVersion: string } };
      await writer.apply(service("while-held", 80));
      const at = `${path}?resourceVersion=${metadata.resourceVersion}&resourceVersionMatch=Exact`;
      await expect
        .poll(async () => (await writer.call("GET", at, undefined, [410])).includes("Expired"), {
          ...SOON,
          interval: 200,
        })
        .toBe(true);
    };
    const concerns = (path: string) => !isHeld && path === "/api/v1/services";
    return (api: WatchApi): WatchApi => ({
      page: async (request) => {
        if (holds === "pages" && "continue" in request.query && concerns(request.path)) await forget(request.path);
        return await noting(seen, api.page(request));
      },
      watch: async (request, onEvents) => {
        if (holds === "watches" && concerns(request.path)) await forget(request.path);
        await noting(seen, api.watch(request, onEvents));
      },
    });
  }

  test.for(["pages", "watches"] as const)(
    "a version that is forgotten between %s (410): all is listed anew",
    async (holds) => {
      const seen: number[] = [];
      const following = await follow({ kubeconfig: plane.kubeconfig, pageSize: 2, wrap: forgetful(seen, holds) });
      await following.started;
      await expect.poll(() => namesOf(following, "Service"), SOON).toEqual(["a", "b", "c", "while-held"]);
      expect(seen).toContain(410);
      await writer.apply(service("afterwards", 80));
      await expect.poll(() => namesOf(following, "Service"), SOON).toContain("afterwards");
      expect(problemsOf(following)).toEqual([]);
      await writer.remove(service("while-held", 80));
      await writer.remove(service("afterwards", 80));
    },
  );
});
