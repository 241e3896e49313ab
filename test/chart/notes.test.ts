import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import { parseWebSocketRoute } from "../../src/api/index.ts";
import { isHelmMissing, notes } from "./chart.ts";
import { firstRoute } from "./first-route.ts";
import { SHAPES } from "./shapes.ts";

describe.skipIf(isHelmMissing).concurrent("the notes after an installation", () => {
  test("say what to do next", async () => {
    await expect(await notes()).toMatchFileSnapshot("golden/notes.txt");
  });

  test.for(SHAPES)("of $name have a first route that is accepted, of the release's class", async (shape) => {
    const route = parse(firstRoute(await notes(shape))) as object;
    expect(parseWebSocketRoute(route)).toMatchObject({ ok: true });
    expect(route).toMatchObject({ spec: { ingressClassName: classOf(shape.values) ?? expect.any(String) } });
  });

  test.for([
    { says: "WARNING: replicas is 1.", values: { replicas: 1 } },
    { says: "this release did not install the WebSocketRoute CRD", values: { crds: { install: false } } },
    { says: "It reads the namespaces apps, games.", values: { watchNamespaces: ["apps", "games"] } },
    { says: "It is this port on the nodes that run a Pod of Holdfast.", values: { service: { type: "NodePort" } } },
    { says: "No Pod starts before that Secret is there", values: { affinityKey: { existingSecret: "my-key" } } },
    { says: "8080:8000", values: { service: { type: "ClusterIP", port: 8000 } } },
    { says: "ingressClassName: sockets", values: { ingressClass: { create: false, name: "sockets" } } },
  ])("say $says only where it is so", async ({ says, values }) => {
    expect(await notes({ values })).toContain(says);
    expect(await notes()).not.toContain(says);
  });
});

function classOf(values: { readonly ingressClass?: { readonly name?: string } }): string | undefined {
  return values.ingressClass?.name;
}
