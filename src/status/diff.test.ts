import { describe, expect, test } from "vitest";
import type { Condition, RouteNode } from "../graph/index.ts";
import { type BackendCounts, differenceOf, diffStatus, isWell, type RouteStatus } from "./index.ts";

const accepted: Condition = { type: "Accepted", status: "True", reason: "Accepted", message: "" };
const programmed: Condition = { type: "Programmed", status: "True", reason: "Programmed", message: "" };
const rejected: Condition = { type: "Accepted", status: "False", reason: "Invalid", message: "spec.rules: too few" };

const node = (name: string, generation: number, ...conditions: Condition[]): RouteNode => ({
  name,
  generation,
  conditions,
  rules: [],
  upstreams: [],
});
const graphOf = (...nodes: RouteNode[]): { routes: Map<string, RouteNode> } => ({
  routes: new Map(nodes.map((n) => [n.name, n])),
});
const nothingStands = (): undefined => undefined;

test.for<{ name: string; written: RouteStatus | undefined; node: RouteNode; cause: string | undefined }>([
  {
    name: "a route without a status gets one",
    written: undefined,
    node: node("apps/chat", 1, accepted),
    cause: "Unsaid",
  },
  {
    name: "a status that says the same stays",
    written: { generation: 1, conditions: [accepted, programmed] },
    node: node("apps/chat", 1, accepted, programmed),
    cause: undefined,
  },
  {
    name: "the order of conditions says nothing",
    written: { generation: 1, conditions: [programmed, accepted] },
    node: node("apps/chat", 1, accepted, programmed),
    cause: undefined,
  },
  {
    name: "a condition that turned is written",
    written: { generation: 1, conditions: [accepted] },
    node: node("apps/chat", 1, rejected),
    cause: "Conditions",
  },
  {
    name: "another message is written",
    written: { generation: 1, conditions: [{ ...rejected, message: "spec.rules: too many" }] },
    node: node("apps/chat", 1, rejected),
    cause: "Conditions",
  },
  {
    name: "another reason is written",
    written: { generation: 1, conditions: [{ ...rejected, reason: "Other" }] },
    node: node("apps/chat", 1, rejected),
    cause: "Conditions",
  },
  {
    name: "a new condition is written",
    written: { generation: 1, conditions: [accepted] },
    node: node("apps/chat", 1, accepted, programmed),
    cause: "Conditions",
  },
  {
    name: "a condition that is said no more is written",
    written: { generation: 1, conditions: [accepted, programmed] },
    node: node("apps/chat", 1, accepted),
    cause: "Conditions",
  },
  {
    name: "a new generation is written though it says the same",
    written: { generation: 1, conditions: [accepted] },
    node: node("apps/chat", 2, accepted),
    cause: "Unsaid",
  },
  {
    name: "an older generation never overwrites a newer one",
    written: { generation: 3, conditions: [accepted] },
    node: node("apps/chat", 2, rejected),
    cause: undefined,
  },
])("$name", ({ written, node: routeNode, cause }) => {
  const { generation, conditions } = routeNode;
  const want = { route: "apps/chat", uid: undefined, generation, conditions, backends: undefined, cause };
  expect(diffStatus(graphOf(routeNode), () => written)).toEqual(cause === undefined ? [] : [want]);
});

describe("counts of backends", () => {
  const counts = (ready: number, draining: number): BackendCounts => ({ ready, draining });
  const status = (backends: BackendCounts | undefined): RouteStatus => ({
    generation: 1,
    conditions: [accepted],
    backends,
  });

  test.for<{ name: string; before?: BackendCounts; after?: BackendCounts; cause: string | undefined }>([
    { name: "the same are no difference", before: counts(2, 1), after: counts(2, 1), cause: undefined },
    { name: "where none stand, they are", after: counts(0, 0), cause: "Serving" },
    { name: "to none ready", before: counts(1, 0), after: counts(0, 1), cause: "Serving" },
    { name: "from none ready", before: counts(0, 3), after: counts(7, 3), cause: "Serving" },
    { name: "more ready", before: counts(1, 0), after: counts(2, 0), cause: "Counts" },
    { name: "more draining, none ready", before: counts(0, 0), after: counts(0, 1), cause: "Counts" },
    { name: "where nobody counts, what stands stays", before: counts(1, 1), cause: undefined },
  ])("$name", ({ before, after, cause }) => {
    expect(differenceOf(status(before), status(after))).toBe(cause);
  });

  test("come from the upstreams of each route, and go with conditions that are written", () => {
    const chat = { ...node("a/chat", 1, accepted), upstreams: ["a/chat:80"] as unknown as RouteNode["upstreams"] };
    const [patch] = diffStatus(graphOf(chat), nothingStands, (upstreams) => counts(upstreams.length, 0));
    expect(patch).toMatchObject({ cause: "Unsaid", backends: { ready: 1, draining: 0 } });
  });
});

test("a node that names its object's UID hands it on", () => {
  const graph = { routes: new Map([["a/x", { ...node("a/x", 1, accepted), uid: "u1" }]]) };
  expect(diffStatus(graph, nothingStands)).toEqual([expect.objectContaining({ uid: "u1" })]);
});

test("patches come in order of the routes' names, and a route that is gone gets none", () => {
  const graph = graphOf(node("b/x", 1, accepted), node("a/y", 1, accepted), node("a/x", 1, accepted));
  const patches = diffStatus(graph, (route) => (route === "gone/gone" ? { generation: 1, conditions: [] } : undefined));
  expect(patches.map(({ route }) => route)).toEqual(["a/x", "a/y", "b/x"]);
});

test("what was written differs no more", () => {
  const graph = graphOf(node("a/x", 1, accepted, programmed), node("a/y", 2, rejected));
  const written = new Map<string, RouteStatus>(diffStatus(graph, nothingStands).map((patch) => [patch.route, patch]));
  expect(diffStatus(graph, (route) => written.get(route))).toEqual([]);
});

test.for<{ name: string; condition: Condition; is: boolean }>([
  { name: "True without words is well", condition: accepted, is: true },
  { name: "True in part is not", condition: { ...programmed, message: "rules[1] is never reached" }, is: false },
  { name: "False is not", condition: rejected, is: false },
  { name: "Unknown is not", condition: { ...accepted, status: "Unknown" }, is: false },
])("$name", ({ condition, is }) => {
  expect(isWell(condition)).toBe(is);
});
