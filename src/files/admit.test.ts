import { describe, expect, test } from "vitest";
import { admit } from "./admit.ts";

const CLASS = {
  apiVersion: "networking.k8s.io/v1",
  kind: "IngressClass",
  metadata: { name: "holdfast" },
  spec: { controller: "holdfast.dev/ingress" },
};
const GRANT = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "ReferenceGrant",
  metadata: { name: "let-in" },
  spec: {
    from: [{ group: "holdfast.dev", kind: "WebSocketRoute", namespace: "apps" }],
    to: [{ group: "", kind: "Service" }],
  },
};

describe("an IngressClass in a manifest", () => {
  test.for([
    { name: "has no namespace", metadata: { name: "holdfast" } },
    { name: "has none, whatever is written", metadata: { name: "holdfast", namespace: "apps" } },
  ])("$name", ({ metadata }) => {
    expect(admit({ ...CLASS, metadata })).toMatchObject({
      kind: "admitted",
      admitted: {
        id: "IngressClass|/holdfast",
        name: "/holdfast",
        object: { metadata: { name: "holdfast", namespace: "" }, spec: CLASS.spec },
      },
    });
  });

  test("is refused with the field that is wrong", () => {
    expect(admit({ ...CLASS, spec: {} })).toEqual({
      kind: "refused",
      id: "IngressClass|/holdfast",
      message: "IngressClass /holdfast: spec.controller: is required",
    });
  });

  test("of the group that had it before is not ours to read", () => {
    expect(admit({ ...CLASS, apiVersion: "extensions/v1beta1" })).toMatchObject({ kind: "ignored" });
  });
});

describe("a ReferenceGrant in a manifest", () => {
  test.for(["v1", "v1beta1"])("is admitted in version %s", (version) => {
    expect(admit({ ...GRANT, apiVersion: `gateway.networking.k8s.io/${version}` })).toMatchObject({
      kind: "admitted",
      admitted: { id: "ReferenceGrant|default/let-in", object: { metadata: { namespace: "default" } } },
    });
  });

  test("is refused in another version, which says both that are known", () => {
    expect(admit({ ...GRANT, apiVersion: "gateway.networking.k8s.io/v1alpha2" })).toMatchObject({
      kind: "refused",
      message:
        'ReferenceGrant default/let-in: apiVersion: must be "gateway.networking.k8s.io/v1" or "gateway.networking.k8s.io/v1beta1"',
    });
  });

  test("is refused with the field that is wrong", () => {
    expect(admit({ ...GRANT, spec: { ...GRANT.spec, to: [] } })).toMatchObject({
      kind: "refused",
      message: "ReferenceGrant default/let-in: spec.to: must have at least 1 item",
    });
  });
});

test.for([
  { name: "a name that is none", object: { ...CLASS, metadata: { name: "Hold/fast" } } },
  { name: "a namespace that is none", object: { ...GRANT, metadata: { name: "a", namespace: "a/b" } } },
  { name: "metadata that are none", object: { ...GRANT, metadata: null } },
])("an object with $name is refused without one", ({ object }) => {
  expect(admit(object)).toMatchObject({ kind: "refused", id: undefined });
});
