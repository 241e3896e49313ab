import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { whyNoCluster } from "./fixtures/cluster-tools.ts";
import { ControlPlane } from "./fixtures/control-plane.ts";
import { grant, ingressClass, namespace, route, service, slice, Writer } from "./kube-source-objects.fixture.ts";
import { everything, follow, namesOf } from "./kube-source.fixture.ts";

const ADMIN = { timeout: 20_000 };

describe.skipIf(whyNoCluster() !== undefined)("the Kubernetes source", () => {
  let plane: ControlPlane;
  let writer: Writer;

  beforeAll(async () => {
    plane = await ControlPlane.start({ controllerManager: "none" });
    writer = new Writer(plane);
    await plane.installCrds();
    for (const name of ["apps", "other"]) await writer.apply(namespace(name));
  });
  afterAll(() => plane?.[Symbol.asyncDispose]());

  test("reads objects of every kind, stripped to what is used, and says what each change of one means, once", async () => {
    await writer.apply(route("first", "first.example"));
    const following = await follow({ kubeconfig: plane.kubeconfig });
    const { source, changes } = following;
    await following.started;
    expect(source.snapshot().list("WebSocketRoute").get("apps/first")).toEqual({
      apiVersion: "holdfast.dev/v1alpha1",
      kind: "WebSocketRoute",
      metadata: {
        name: "first",
        namespace: "apps",
        generation: 1,
        uid: expect.any(String),
        creationTimestamp: expect.any(String),
      },
      spec: expect.objectContaining({ hostnames: ["first.example"] }),
    });
    expect(changes).toEqual([]);

    const told = async (write: Promise<void>, want: object): Promise<void> => {
      await write;
      await expect.poll(() => changes.splice(0), ADMIN).toEqual([want]);
    };
    const routes = { kind: "routes" };
    const services = { kind: "services", service: "apps/chat" };
    const endpoints = { kind: "endpoints", service: "apps/chat" };
    await told(writer.apply(route("chat", "a.example")), routes);
    await told(writer.apply(route("chat", "b.example")), routes);
    await told(writer.apply(service("chat", 80)), services);
    await told(writer.apply(service("chat", 81)), services);
    await told(writer.apply(slice("chat-1", "chat", ["198.18.0.1"])), endpoints);
    await told(writer.apply(slice("chat-1", "chat", ["198.18.0.1", "198.18.0.2"])), endpoints);
    await told(writer.apply(ingressClass("holdfast")), routes);
    expect(source.snapshot().list("IngressClass").get("/holdfast")).toMatchObject({
      metadata: { name: "holdfast", namespace: "" },
      spec: { controller: "holdfast.dev/ingress" },
    });
    expect(source.snapshot().slicesOf("apps/chat")).toHaveLength(1);
    await told(writer.remove(ingressClass("holdfast")), routes);
    await told(writer.remove(slice("chat-1", "chat", [])), endpoints);
    await told(writer.remove(service("chat", 81)), services);
    await told(writer.remove(route("chat", "")), routes);
    expect(source.problems()).toEqual([]);
    expect([...source.freshness().keys()].sort()).toEqual([
      "EndpointSlice",
      "IngressClass",
      "ReferenceGrant",
      "Service",
      "WebSocketRoute",
    ]);
    await writer.remove(route("first", ""));
  });

  test("a change that is nothing to us tells nothing", async () => {
    await writer.apply(service("quiet", 80));
    const following = await follow({ kubeconfig: plane.kubeconfig });
    await following.started;
    const note = (text: string) => ({
      ...service("quiet", 80),
      metadata: { name: "quiet", namespace: "apps", labels: { note: text } },
    });
    await writer.apply(note("one"));
    await writer.apply(note("two"));
    // Told in order: when this has come, the others would have.
    await writer.apply(service("loud", 80));
    await expect.poll(() => following.changes, ADMIN).toEqual([{ kind: "services", service: "apps/loud" }]);
  });

  test("a status is no reason to build; who writes statuses sees it, and the end of a route", async () => {
    await writer.apply(route("stated", "stated.example"));
    const seen: [string, unknown][] = [];
    const following = await follow({
      kubeconfig: plane.kubeconfig,
      onRoute: (name, object) => seen.push([name, object]),
    });
    await following.started;
    const isWhole = expect.objectContaining({
      metadata: expect.objectContaining({ managedFields: expect.anything() }),
    });
    expect(seen.splice(0)).toEqual([["apps/stated", isWhole]]);
    const before = following.source.snapshot().list("WebSocketRoute").get("apps/stated");

    const { spec: _, ...bare } = route("stated", "");
    await writer.apply({ ...bare, status: { observedGeneration: 7 } }, "/status");
    await expect.poll(() => following.changes.splice(0), ADMIN).toEqual([{ kind: "statuses" }]);
    expect(seen.splice(0)).toEqual([["apps/stated", expect.objectContaining({ status: { observedGeneration: 7 } })]]);
    expect(following.source.snapshot().list("WebSocketRoute").get("apps/stated")).toBe(before);

    await writer.remove(route("stated", ""));
    await expect.poll(() => following.changes.splice(0), ADMIN).toEqual([{ kind: "routes" }]);
    expect(seen).toEqual([["apps/stated", undefined]]);
  });

  test("without ReferenceGrants it is ready; they are found when their CRD comes, and none is left when it goes", async () => {
    const following = await follow({ kubeconfig: plane.kubeconfig, absentRetryMs: 200 });
    await following.started;
    expect(following.source.problems()).toEqual([]);
    await plane.installReferenceGrants();
    await writer.apply(grant("to-chat"));
    await expect.poll(() => namesOf(following, "ReferenceGrant"), ADMIN).toEqual(["to-chat"]);
    expect(following.changes.splice(0)).toEqual([{ kind: "routes" }]);
    await plane.kubectl(["delete", "crd", "referencegrants.gateway.networking.k8s.io"]);
    await expect.poll(() => namesOf(following, "ReferenceGrant"), ADMIN).toEqual([]);
    expect(following.source.problems()).toEqual([]);
    await plane.installReferenceGrants();
    await writer.apply(grant("again"));
    await expect.poll(() => namesOf(following, "ReferenceGrant"), ADMIN).toEqual(["again"]);
    expect(following.source.problems()).toEqual([]);
    await plane.kubectl(["delete", "crd", "referencegrants.gateway.networking.k8s.io"]);
  });

  test("reads a list of 1,200 objects in pages, whole", async () => {
    const numbers = Array.from({ length: 1200 }, (_, index) => index);
    for (let from = 0; from < 1200; from += 50) {
      await Promise.all(
        numbers.slice(from, from + 50).map((index) => writer.apply(service(`many-${index}`, 80, "other"))),
      );
    }
    const limits: string[] = [];
    const following = await follow({
      kubeconfig: plane.kubeconfig,
      pageSize: 100,
      wrap: (api) => ({
        page: (request) => {
          if (request.path === "/api/v1/services")
            limits.push(`${request.query["limit"]} ${"continue" in request.query}`);
          return api.page(request);
        },
        watch: (request, onEvents) => api.watch(request, onEvents),
      }),
    });
    await following.started;
    expect(namesOf(following, "Service", "other")).toEqual(numbers.map((index) => `many-${index}`).sort());
    expect(limits.slice(0, 3)).toEqual(["100 false", "100 true", "100 true"]);
    expect(limits.length).toBeGreaterThan(12);
  });

  describe("with rights in some namespaces only", () => {
    const account = { namespace: "default", name: "reader" };
    const binding = (inNamespace: string) => ({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: "reader", namespace: inNamespace },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
      subjects: [{ kind: "ServiceAccount", ...account }],
    });
    const role = (inNamespace: string) => ({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: "reader", namespace: inNamespace },
      rules: [
        { apiGroups: ["holdfast.dev"], resources: ["websocketroutes"], verbs: ["list", "watch"] },
        { apiGroups: [""], resources: ["services"], verbs: ["list", "watch"] },
        { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
      ],
    });
    let kubeconfig: string;

    beforeAll(async () => {
      await plane.apply([
        ...["ours", "later"].map(namespace),
        { apiVersion: "v1", kind: "ServiceAccount", metadata: account },
        role("ours"),
        binding("ours"),
      ]);
      kubeconfig = await plane.kubeconfigOf(account.namespace, account.name);
    });

    test("reads those, and nothing else; grants that it may not read are told, and hold up nothing", async () => {
      await writer.apply(route("in", "in.example", "ours"));
      await writer.apply(route("out", "out.example", "apps"));
      await writer.apply(ingressClass("unread"));
      const following = await follow({ kubeconfig, namespaces: ["ours", "ours"] });
      await following.started;
      const { WebSocketRoute: routes, IngressClass: classes } = everything(following);
      expect(routes?.map((entry) => (entry as [string])[0])).toEqual(["ours/in"]);
      expect(classes).toEqual([]);
      expect(following.source.problems()).toEqual([
        {
          what: "ReferenceGrant in namespace ours",
          message: expect.stringMatching(
            /^referencegrants.gateway.networking.k8s.io may not be listed and watched in namespace ours: grant the verbs list and watch on it by a Role/,
          ),
        },
      ]);
      await writer.apply(service("chat", 80, "ours"));
      await expect.poll(() => namesOf(following, "Service", "ours"), ADMIN).toEqual(["chat"]);
    });

    test("waits for rights, with words, and goes on when they come", async () => {
      const following = await follow({ kubeconfig, namespaces: ["ours", "later"] });
      let isStarted = false;
      const started = following.started.then(() => (isStarted = true));
      const missing = () => following.source.problems().filter(({ what }) => what.endsWith("later"));
      await expect
        .poll(() => missing().map(({ what }) => what), ADMIN)
        .toEqual([
          "WebSocketRoute in namespace later",
          "Service in namespace later",
          "EndpointSlice in namespace later",
          "ReferenceGrant in namespace later",
        ]);
      expect(isStarted).toBe(false);
      await plane.apply([role("later"), binding("later")]);
      await started;
      expect(missing().map(({ what }) => what)).toEqual(["ReferenceGrant in namespace later"]);
    });
  });

  test("a route that is all of a namespace's comes and goes with it", async () => {
    const following = await follow({ kubeconfig: plane.kubeconfig, namespaces: ["not-there-yet"] });
    await following.started;
    await writer.apply(namespace("not-there-yet"));
    await writer.apply(route("early", "early.example", "not-there-yet"));
    await expect.poll(() => namesOf(following, "WebSocketRoute", "not-there-yet"), ADMIN).toEqual(["early"]);
  });
});
