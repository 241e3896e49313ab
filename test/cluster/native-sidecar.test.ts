import { afterAll, beforeAll, expect, test } from "vitest";
import { sidecarExample } from "../integration/fixtures/native-sidecar.ts";
import { ControlPlane } from "./fixtures/control-plane.ts";

const { objects } = sidecarExample();
let plane: ControlPlane;

beforeAll(async () => {
  plane = await ControlPlane.start({ controllerManager: "none" });
  await plane.kubectl(["create", "namespace", "apps"]);
  // A controller makes it in every namespace, and a Pod is refused without.
  await plane.kubectl(["create", "serviceaccount", "default", "-n", "apps"]);
});

afterAll(() => plane?.[Symbol.asyncDispose]());

test("the API server takes every object of the example, with every field as it is written", async () => {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const dryRun = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", "-o", "json"];
  const { items } = JSON.parse(await plane.kubectl(dryRun, list)) as { readonly items: readonly object[] };
  expect(items).toMatchObject(objects);
  const sidecar = { name: "holdfast", restartPolicy: "Always" };
  expect(items.at(-1)).toMatchObject({ kind: "Pod", spec: { initContainers: [sidecar] } });
});
