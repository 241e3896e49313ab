import { expect, test } from "vitest";
import type { Condition, RouteNode } from "../graph/index.ts";
import { diffStatus, type RouteStatus } from "./index.ts";

const accepted: Condition = { type: "Accepted", status: "True", reason: "Accepted", message: "" };
const programmed: Condition = { type: "Programmed", status: "True", reason: "Programmed", message: "" };
const rejected: Condition = { type: "Accepted", status: "False", reason: "Invalid", message: "spec.rules: too few" };

const node = (name: string, generation: number, ...conditions: Condition[]): RouteNode => ({
  name,
  generation,
  conditions,
  rules: [],
});
const graphOf = (...nodes: RouteNode[]): { routes: Map<string, RouteNode> } => ({
  routes: new Map(nodes.map((n) => [n.name, n])),
});

test.for<{ name: string; written: RouteStatus | undefined; node: RouteNode; isWritten: boolean }>([
  {
    name: "a route without a status gets one",
    written: undefined,
    node: node("apps/chat", 1, accepted),
    isWritten: true,
  },
  {
    name: "a status that says the same stays",
    written: { generation: 1, conditions: [accepted, programmed] },
    node: node("apps/chat", 1, accepted, programmed),
    isWritten: false,
  },
  {
    name: "the order of conditions says nothing",
    written: { generation: 1, conditions: [programmed, accepted] },
    node: node("apps/chat", 1, accepted, programmed),
    isWritten: false,
  },
  {
    name: "a condition that turned is written",
    written: { generation: 1, conditions: [accepted] },
    node: node("apps/chat", 1, rejected),
    isWritten: true,
  },
  {
    name: "another message is written",
    written: { generation: 1, conditions: [{ ...rejected, message: "spec.rules: too many" }] },
    node: node("apps/chat", 1, rejected),
    isWritten: true,
  },
  {
    name: "another reason is written",
    written: { generation: 1, conditions: [{ ...rejected, reason: "Other" }] },
    node: node("apps/chat", 1, rejected),
    isWritten: true,
  },
  {
    name: "a new condition is written",
    written: { generation: 1, conditions: [accepted] },
    node: node("apps/chat", 1, accepted, programmed),
    isWritten: true,
  },
  {
    name: "a new generation is written though it says the same",
    written: { generation: 1, conditions: [accepted] },
    node: node("apps/chat", 2, accepted),
    isWritten: true,
  },
  {
    name: "an older generation never overwrites a newer one",
    written: { generation: 3, conditions: [accepted] },
    node: node("apps/chat", 2, rejected),
    isWritten: false,
  },
])("$name", ({ written, node: routeNode, isWritten }) => {
  const before = new Map<string, RouteStatus>(written === undefined ? [] : [["apps/chat", written]]);
  const want = { route: "apps/chat", generation: routeNode.generation, conditions: routeNode.conditions };
  expect(diffStatus(graphOf(routeNode), before)).toEqual(isWritten ? [want] : []);
});

test("patches come in order of the routes' names, and a route that is gone gets none", () => {
  const graph = graphOf(node("b/x", 1, accepted), node("a/y", 1, accepted), node("a/x", 1, accepted));
  const patches = diffStatus(graph, new Map([["gone/gone", { generation: 1, conditions: [] }]]));
  expect(patches.map(({ route }) => route)).toEqual(["a/x", "a/y", "b/x"]);
});

test("what was written differs no more", () => {
  const graph = graphOf(node("a/x", 1, accepted, programmed), node("a/y", 2, rejected));
  const written = new Map(diffStatus(graph, new Map()).map((patch) => [patch.route, patch]));
  expect(diffStatus(graph, written)).toEqual([]);
});
