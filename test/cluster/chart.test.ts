import { parse } from "yaml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHART, idOf, isHelmMissing, notes, render } from "../chart/chart.ts";
import { firstRoute } from "../chart/first-route.ts";
import { SHAPES } from "../chart/shapes.ts";
import { ControlPlane } from "./fixtures/control-plane.ts";
import { helm } from "./fixtures/helm.ts";

const NAMESPACES = ["apps", "ingress", "blue", "green", "1e3", "0x10", "null", "y".repeat(63)];
const ACCOUNT = "system:serviceaccount:ingress:holdfast";

let plane: ControlPlane;

/** A control plane as a user has it before the first `helm install`: no CRD of ours. */
async function startPlane(): Promise<void> {
  plane = await ControlPlane.start({ controllerManager: "none" });
  await plane.apply(NAMESPACES.map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })));
}

/** What Helm says, also when it refuses. */
async function inCluster(command: string, ...args: readonly string[]): Promise<string> {
  return helm([command, ...args, "--kubeconfig", plane.kubeconfig]).catch((error: unknown) => String(error));
}

async function install(release: string, namespace: string, ...settings: readonly string[]): Promise<string> {
  return inCluster("install", release, CHART, "-n", namespace, ...settings.flatMap((each) => ["--set", each]));
}

async function namesOf(kind: string): Promise<readonly string[]> {
  return (await plane.kubectl(["get", kind, "-A", "-o", "name"])).trim().split("\n");
}

describe.skipIf(isHelmMissing)("the API server", () => {
  beforeAll(async () => {
    await startPlane();
    await plane.installCrds();
  });
  afterAll(async () => plane?.[Symbol.asyncDispose]());

  test.for(SHAPES)("takes every object of $name, without a field that it does not know", async (shape) => {
    const objects = await render(shape);
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
    const dryRun = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"];
    const taken = JSON.parse(await plane.kubectl([...dryRun, "-f", "-", "-o", "json"], list)) as { items: object[] };
    expect(taken.items.map((each) => idOf(each as never)).toSorted()).toEqual(objects.map(idOf).toSorted());
  });

  test.for(SHAPES)("takes the first route of the notes of $name", async (shape) => {
    const route = firstRoute(await notes(shape));
    const dryRun = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", "-o", "json"];
    expect(JSON.parse(await plane.kubectl(dryRun, route))).toMatchObject(parse(route) as object);
  });
});

/** group/resource → verbs, with the names it is held to; of the rights that are not everybody's. */
async function rightsIn(namespace: string, account: string): Promise<Readonly<Record<string, string>>> {
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } };
  const args = ["create", `--as=${account}`, "--validate=false", "-f", "-", "-o", "json"];
  const { status } = JSON.parse(await plane.kubectl(args, JSON.stringify(review))) as RulesReview;
  const rights: Record<string, string> = {};
  for (const { apiGroups, resources, resourceNames = [], verbs } of status.resourceRules) {
    if (/^authori[sz]ation|^authentication/.test(apiGroups[0] ?? "")) continue;
    const held = resourceNames.length === 0 ? "" : ` of ${resourceNames.join(", ")}`;
    const name = `${apiGroups.join(",")}/${resources.join(",")}${held}`;
    rights[name] = [...(rights[name]?.split(" ") ?? []), ...verbs].toSorted().join(" ");
  }
  return rights;
}

interface RulesReview {
  readonly status: {
    readonly resourceRules: readonly {
      readonly apiGroups: readonly string[];
      readonly resources: readonly string[];
      readonly resourceNames?: readonly string[];
      readonly verbs: readonly string[];
    }[];
  };
}

const READS = {
  "holdfast.dev/websocketroutes": "list watch",
  "holdfast.dev/websocketroutes/status": "patch",
  "/services": "list watch",
  "discovery.k8s.io/endpointslices": "list watch",
  "gateway.networking.k8s.io/referencegrants": "list watch",
  "events.k8s.io/events": "create",
};
const CLASSES = { "networking.k8s.io/ingressclasses": "list watch" };
const LEASE = { "coordination.k8s.io/leases": "create", "coordination.k8s.io/leases of holdfast": "get update" };

describe.skipIf(isHelmMissing)("an installed chart", () => {
  beforeAll(startPlane);
  afterAll(async () => plane?.[Symbol.asyncDispose]());

  test("reads all namespaces and has the Lease object in its own, and no right beside", async () => {
    expect(await install("holdfast", "ingress")).toContain("STATUS: deployed");
    expect(await rightsIn("apps", ACCOUNT)).toEqual({ ...READS, ...CLASSES });
    expect(await rightsIn("ingress", ACCOUNT)).toEqual({ ...READS, ...CLASSES, ...LEASE });
  });

  test("keeps the CRD and every route when it no longer installs it, and when it goes", async () => {
    await plane.kubectl(["apply", "-f", "-"], firstRoute(await notes()));
    const upgrade = ["holdfast", CHART, "-n", "ingress"];
    expect(await inCluster("upgrade", ...upgrade, "--set", "crds.install=false")).toContain("STATUS: deployed");
    expect(await namesOf("wsr")).toEqual(["websocketroute.holdfast.dev/chat"]);
    expect(await inCluster("upgrade", ...upgrade)).toContain("STATUS: deployed");
    expect(await inCluster("uninstall", "holdfast", "-n", "ingress")).toContain("uninstalled");
    expect(await namesOf("wsr")).toEqual(["websocketroute.holdfast.dev/chat"]);
    expect(await namesOf("clusterrole")).not.toContain(
      "clusterrole.rbac.authorization.k8s.io/holdfast:ingress:holdfast",
    );
  });

  test("takes the CRD that it left behind when it comes back", async () => {
    expect(await install("holdfast", "ingress")).toContain("STATUS: deployed");
  });

  test("a second one is told that the CRD is the first one's, and stands beside it without", async () => {
    expect(await install("second", "ingress")).toMatch(/websocketroutes\.holdfast\.dev.*exists and cannot be imported/);
    expect(await install("second", "ingress", "crds.install=false")).toContain("STATUS: deployed");
    expect(await namesOf("deployment")).toEqual(["deployment.apps/holdfast", "deployment.apps/second-holdfast"]);
  });

  test("another of the same name elsewhere needs an IngressClass of its own", async () => {
    const settings = ["crds.install=false"];
    expect(await install("holdfast", "blue", ...settings)).toMatch(/IngressClass "holdfast".* exists and cannot be/);
    expect(await install("holdfast", "blue", ...settings, "ingressClass.name=blue")).toContain("STATUS: deployed");
    expect(await namesOf("ingressclass")).toContain("ingressclass.networking.k8s.io/blue");
  });

  test("restricted to namespaces has rights in these alone", async () => {
    const settings = ["crds.install=false", "ingressClass.create=false", "watchNamespaces={apps,blue}"];
    expect(await install("holdfast", "green", ...settings)).toContain("STATUS: deployed");
    const account = "system:serviceaccount:green:holdfast";
    expect(await rightsIn("apps", account)).toEqual(READS);
    expect(await rightsIn("blue", account)).toEqual(READS);
    expect(await rightsIn("green", account)).toEqual(LEASE);
    expect(await rightsIn("kube-system", account)).toEqual({});
  });

  test("another takes the CRD over when the one that had it is gone, and every route stays", async () => {
    expect(await inCluster("uninstall", "holdfast", "-n", "ingress")).toContain("uninstalled");
    const upgrade = ["second", CHART, "-n", "ingress", "--set", "crds.install=true", "--take-ownership"];
    expect(await inCluster("upgrade", ...upgrade)).toContain("STATUS: deployed");
    expect(await inCluster("upgrade", "second", CHART, "-n", "ingress")).toContain("STATUS: deployed");
    expect(await namesOf("wsr")).toEqual(["websocketroute.holdfast.dev/chat"]);
  });
});
