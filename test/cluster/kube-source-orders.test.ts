import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { whyNoCluster } from "./fixtures/cluster-tools.ts";
import { ControlPlane } from "./fixtures/control-plane.ts";
import { FaultyProxy } from "./fixtures/faulty-proxy.ts";
import { kubeconfigBy } from "./fixtures/kubeconfig-by.ts";
import {
  grant,
  ingressClass,
  type Manifest,
  namespace,
  route,
  service,
  slice,
  Writer,
} from "./kube-source-objects.fixture.ts";
import { everything, follow } from "./kube-source.fixture.ts";

type Step = { readonly do: "apply" | "remove"; readonly manifest: Manifest } | { readonly do: "cut" };

const name = fc.constantFrom("a", "b");
const number = fc.integer({ min: 1, max: 3 });
const manifest: fc.Arbitrary<Manifest> = fc.oneof(
  fc.tuple(name, number).map(([each, n]) => route(each, `h${n}.example`)),
  fc.tuple(name, number).map(([each, n]) => service(each, n)),
  fc.tuple(name, name, number).map(([each, of, n]) => slice(each, of, [`198.18.2.${n}`])),
  name.map(ingressClass),
  name.map((each) => grant(each)),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: manifest.map((each) => ({ do: "apply" as const, manifest: each })) },
  { weight: 3, arbitrary: manifest.map((each) => ({ do: "remove" as const, manifest: each })) },
  { weight: 1, arbitrary: fc.constant({ do: "cut" as const }) },
);

describe.skipIf(whyNoCluster() !== undefined)("in whatever order objects come, change and go", () => {
  let plane: ControlPlane;

  beforeAll(async () => {
    plane = await ControlPlane.start({ controllerManager: "none" });
    await plane.installCrds();
    await plane.installReferenceGrants();
    await new Writer(plane).apply(namespace("apps"));
  });
  afterAll(() => plane?.[Symbol.asyncDispose]());

  test("a source that saw each change ends with what a fresh one reads", async () => {
    const writer = new Writer(plane);
    await using proxy = await FaultyProxy.start(plane.server);
    const following = await follow({ kubeconfig: await kubeconfigBy(plane.kubeconfig, proxy) });
    await following.started;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        for (const each of steps) {
          if (each.do === "cut") proxy.cut();
          else await (each.do === "apply" ? writer.apply(each.manifest) : writer.remove(each.manifest));
        }
        const fresh = await follow({ kubeconfig: plane.kubeconfig });
        await fresh.started;
        await expect.poll(() => everything(following), { timeout: 30_000 }).toEqual(everything(fresh));
        fresh.stop();
        await expect.poll(() => following.source.problems(), { timeout: 30_000 }).toEqual([]);
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });
});
