import { expect, test } from "vitest";
import { readStanding } from "./standing.ts";

const condition = (type: string, more: object = {}): object => ({
  type,
  status: "True",
  reason: type,
  message: "",
  lastTransitionTime: "2026-01-01T00:00:00Z",
  observedGeneration: 3,
  ...more,
});
const object = (status: unknown, generation: unknown = 3): object => ({
  metadata: { name: "chat", uid: "u1", resourceVersion: "17", generation },
  status,
});
const backends = { ready: 1, draining: 2 };

test("keeps who it is and what of ours stands there", () => {
  const status = { observedGeneration: 3, conditions: [condition("Accepted"), condition("Reviewed")], backends };
  expect(readStanding(object(status))).toEqual({
    uid: "u1",
    resourceVersion: "17",
    status: {
      generation: 3,
      backends,
      conditions: [
        {
          type: "Accepted",
          status: "True",
          reason: "Accepted",
          message: "",
          lastTransitionTime: "2026-01-01T00:00:00Z",
        },
      ],
    },
  });
});

test.for<{ name: string; status: unknown; generation: number | undefined }>([
  { name: "no status is nothing", status: undefined, generation: undefined },
  { name: "an empty status is nothing", status: {}, generation: undefined },
  {
    name: "others' conditions alone are nothing",
    status: { conditions: [condition("Reviewed")] },
    generation: undefined,
  },
  { name: "counts alone are about no generation", status: { backends }, generation: -1 },
  {
    name: "an older generation is what it is",
    status: { observedGeneration: 2, conditions: [condition("Accepted", { observedGeneration: 2 })] },
    generation: 2,
  },
  {
    name: "a generation to come is none",
    status: { observedGeneration: 4, conditions: [condition("Accepted", { observedGeneration: 4 })] },
    generation: -1,
  },
  {
    name: "a condition about another generation makes it none",
    status: { observedGeneration: 3, conditions: [condition("Accepted", { observedGeneration: 2 })] },
    generation: -1,
  },
  {
    name: "a condition that does not say of which generation makes it none",
    status: { observedGeneration: 3, conditions: [condition("Accepted", { observedGeneration: undefined })] },
    generation: -1,
  },
  { name: "no generation is none", status: { conditions: [condition("Accepted")] }, generation: -1 },
  {
    name: "a condition of others may speak of any",
    status: {
      observedGeneration: 3,
      conditions: [condition("Accepted"), condition("Reviewed", { observedGeneration: 1 })],
    },
    generation: 3,
  },
])("$name", ({ status, generation }) => {
  expect(readStanding(object(status))?.status?.generation).toBe(generation);
});

test.for<{ name: string; object: unknown }>([
  { name: "nothing", object: null },
  { name: "a text", object: "x" },
  { name: "no metadata", object: {} },
  { name: "no UID", object: { metadata: { resourceVersion: "1" } } },
  { name: "no version", object: { metadata: { uid: "u" } } },
])("$name is no object", ({ object: odd }) => {
  expect(readStanding(odd)).toBeUndefined();
});

test("odd values in a status are no reason to stumble", () => {
  const odd = {
    observedGeneration: "3",
    conditions: [null, 7, { type: "Accepted", status: 5 }],
    backends: { ready: "1" },
  };
  expect(readStanding(object(odd))?.status).toEqual({
    generation: -1,
    backends: undefined,
    conditions: [{ type: "Accepted", status: "", reason: "", message: "", lastTransitionTime: "" }],
  });
});
