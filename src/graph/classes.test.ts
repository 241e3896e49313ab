import { describe, expect, test } from "vitest";
import { build, conditionOf, route } from "./graph.fixture.ts";
import { diffHosts, type GraphOptions, newGraphCache } from "./index.ts";

const OURS = "holdfast.dev/ingress";

function classes(all: Record<string, { controller?: unknown; default?: unknown }>): Record<string, unknown> {
  const entries = Object.entries(all).map(([name, { controller = OURS, default: isDefault }]) => [
    `/${name}`,
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "IngressClass",
      metadata: { name, namespace: "", annotations: { "ingressclass.kubernetes.io/is-default-class": isDefault } },
      spec: { controller },
    },
  ]);
  return JSON.parse(JSON.stringify(Object.fromEntries(entries)));
}

function isServed(
  className: string | undefined,
  all: Record<string, unknown>,
  options: Partial<GraphOptions>,
  cache = newGraphCache(),
): boolean {
  const chat = route("chat", className === undefined ? {} : { ingressClassName: className });
  const graph = build({ WebSocketRoute: { "apps/chat": chat }, IngressClass: all }, cache, options);
  expect(graph.hosts.size).toBe(graph.routes.size);
  return graph.routes.has("apps/chat");
}

const ONE = { ingressClassName: "holdfast" };
const ANY = { ingressClassName: undefined };
const BY_CLASS = { classless: "ByIngressClass" } as const;

describe("a route that names a class", () => {
  test.for<{ name: string; className: string; all: Record<string, object>; options: object; want: boolean }>([
    { name: "is ours when it is our class", className: "holdfast", all: { holdfast: {} }, options: ONE, want: true },
    {
      name: "stays ours when somebody deletes its IngressClass",
      className: "holdfast",
      all: {},
      options: ONE,
      want: true,
    },
    {
      name: "is not ours when its class is another controller's, whatever it is called",
      className: "holdfast",
      all: { holdfast: { controller: "k8s.io/ingress-nginx" } },
      options: ONE,
      want: false,
    },
    {
      name: "is not ours when it names another class, though its controller is ours",
      className: "inside",
      all: { holdfast: {}, inside: {} },
      options: ONE,
      want: false,
    },
    { name: "is not ours when nobody has its class", className: "nginx", all: {}, options: ONE, want: false },
    {
      name: "is ours by any class of our controller when we have no name",
      className: "inside",
      all: { holdfast: {}, inside: {} },
      options: ANY,
      want: true,
    },
    {
      name: "is not ours without its IngressClass when we have no name",
      className: "a",
      all: {},
      options: ANY,
      want: false,
    },
    {
      name: "is not ours by another controller's class when we have no name",
      className: "a",
      all: { a: { controller: "x" } },
      options: ANY,
      want: false,
    },
    {
      name: "is as if its IngressClass were missing when that cannot be understood",
      className: "holdfast",
      all: { holdfast: { controller: 7 } },
      options: ONE,
      want: true,
    },
  ])("$name", ({ className, all, options, want }) => {
    expect(isServed(className, classes(all), options)).toBe(want);
  });
});

describe("a route that names no class", () => {
  const none: Record<string, object> = {};
  test.for<{ name: string; all: Record<string, object>; options: object; want: boolean }>([
    { name: "is ours where nobody asks for IngressClasses", all: none, options: ONE, want: true },
    { name: "is nobody's without an IngressClass of ours", all: none, options: { ...ONE, ...BY_CLASS }, want: false },
    { name: "belongs to the only class of ours", all: { holdfast: {} }, options: { ...ONE, ...BY_CLASS }, want: true },
    {
      name: "belongs to the only class of ours beside those of others, also when theirs is marked default",
      all: { holdfast: {}, nginx: { controller: "x", default: "true" } },
      options: { ...ONE, ...BY_CLASS },
      want: true,
    },
    {
      name: "belongs to the class of ours that is marked default, which we serve",
      all: { holdfast: { default: "true" }, inside: {} },
      options: { ...ONE, ...BY_CLASS },
      want: true,
    },
    {
      name: "belongs to the class of ours that is marked default, which another Holdfast serves",
      all: { holdfast: {}, inside: { default: "true" } },
      options: { ...ONE, ...BY_CLASS },
      want: false,
    },
    {
      name: "belongs to the only class of ours, which another Holdfast serves",
      all: { inside: {} },
      options: { ...ONE, ...BY_CLASS },
      want: false,
    },
    {
      name: "is nobody's when none of several is marked default",
      all: { holdfast: {}, inside: {} },
      options: { ...ONE, ...BY_CLASS },
      want: false,
    },
    {
      name: "is nobody's when several are marked default",
      all: { holdfast: { default: "true" }, inside: { default: "true" } },
      options: { ...ANY, ...BY_CLASS },
      want: false,
    },
    {
      name: "belongs to the default of ours when we have no name",
      all: { holdfast: { default: "true" }, inside: {} },
      options: { ...ANY, ...BY_CLASS },
      want: true,
    },
    {
      name: "is nobody's when a mark says anything but true",
      all: { holdfast: { default: "yes" }, inside: {} },
      options: { ...ONE, ...BY_CLASS },
      want: false,
    },
  ])("$name", ({ all, options, want }) => {
    expect(isServed(undefined, classes(all), options)).toBe(want);
  });
});

test("a class that comes, changes its mark or goes takes effect on routes that were read before", () => {
  const cache = newGraphCache();
  const chat = route("chat");
  const options = { ...ONE, ...BY_CLASS };
  const at = (all: Record<string, object>) =>
    build({ WebSocketRoute: { "apps/chat": chat }, IngressClass: classes(all) }, cache, options);
  const before = at({ holdfast: {} });
  expect(before.routes.size).toBe(1);
  expect(at({ holdfast: {}, inside: {} }).routes.size).toBe(0);
  expect(at({ holdfast: { default: "true" }, inside: {} }).routes.size).toBe(1);
  expect(at({}).routes.size).toBe(0);
  const after = at({ holdfast: {} });
  expect(diffHosts(before.hosts, after.hosts).size).toBe(0);
});

test("a broken route of another class is not ours to judge", () => {
  const broken = { spec: { ingressClassName: "nginx", rules: 7 } };
  expect(build({ WebSocketRoute: { "apps/chat": broken } }).routes.size).toBe(0);
});

test("a class that is no text is a mistake, and said so", () => {
  const graph = build({ WebSocketRoute: { "apps/chat": route("chat", { ingressClassName: 7 }) } });
  expect(conditionOf(graph, "apps/chat", "Accepted").message).toContain("spec.ingressClassName: ");
});
