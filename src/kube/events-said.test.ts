import { expect, test } from "vitest";
import type { RouteStatus } from "../status/index.ts";
import { eventsOf } from "./events-said.ts";

type Condition = RouteStatus["conditions"][number];

const accepted: Condition = { type: "Accepted", status: "True", reason: "Accepted", message: "" };
const resolved: Condition = { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "" };
const programmed: Condition = { type: "Programmed", status: "True", reason: "Programmed", message: "" };
const well = [accepted, resolved, programmed];
const refused: Condition[] = [
  { type: "Accepted", status: "False", reason: "Invalid", message: "spec.rules: too few" },
  { type: "ResolvedRefs", status: "Unknown", reason: "Invalid", message: "the route is not accepted" },
  { type: "Programmed", status: "False", reason: "Invalid", message: "the route is not accepted" },
];
const noBackend: Condition = { type: "ResolvedRefs", status: "False", reason: "BackendNotFound", message: "no a" };
const noPort: Condition = { ...noBackend, reason: "PortNotFound", message: "no port" };
const inPart: Condition = { ...programmed, reason: "PartlyConflicting", message: "rules[1]" };

const status = (conditions: readonly Condition[], generation = 1): RouteStatus => ({ generation, conditions });

test.for<{ name: string; before: RouteStatus | undefined; after: RouteStatus; said: string[] }>([
  { name: "a new route that is well: nothing", before: undefined, after: status(well), said: [] },
  {
    name: "a new route that is refused: why, and nothing of what follows from it",
    before: undefined,
    after: status(refused),
    said: ["Warning Invalid"],
  },
  {
    name: "a condition that turns",
    before: status(well),
    after: status([accepted, noBackend, programmed]),
    said: ["Warning BackendNotFound"],
  },
  {
    name: "part of a route that is lost to another",
    before: status(well),
    after: status([accepted, resolved, inPart]),
    said: ["Warning PartlyConflicting"],
  },
  {
    name: "two that turn at once",
    before: status(well),
    after: status([accepted, noBackend, inPart]),
    said: ["Warning BackendNotFound", "Warning PartlyConflicting"],
  },
  {
    name: "another reason",
    before: status([accepted, noBackend, programmed]),
    after: status([accepted, noPort, programmed]),
    said: ["Warning PortNotFound"],
  },
  {
    name: "other words for the same, since something else changed: nothing",
    before: status([accepted, noBackend, programmed]),
    after: status([accepted, { ...noBackend, message: "no a; no b" }, programmed]),
    said: [],
  },
  {
    name: "other words for the same after an edit",
    before: status([accepted, noBackend, programmed]),
    after: status([accepted, { ...noBackend, message: "no b" }, programmed], 2),
    said: ["Warning BackendNotFound"],
  },
  {
    name: "the same words after an edit: nothing",
    before: status([accepted, noBackend, programmed]),
    after: status([accepted, noBackend, programmed], 2),
    said: [],
  },
  {
    name: "well again",
    before: status([accepted, noBackend, programmed]),
    after: status(well),
    said: ["Normal ResolvedRefs"],
  },
  {
    name: "accepted again: once, not for all that follows from it",
    before: status(refused),
    after: status(well, 2),
    said: ["Normal Accepted"],
  },
  {
    name: "accepted, and now it shows that a backend is missing",
    before: status(refused),
    after: status([accepted, noBackend, programmed], 2),
    said: ["Warning BackendNotFound", "Normal Accepted"],
  },
])("$name", ({ before, after, said }) => {
  expect(eventsOf(before, after).map(({ type, reason }) => `${type} ${reason}`)).toEqual(said);
});

test.for(["x", "é", "€", "😀"])("a note is cut to 1024 bytes, between characters (%s)", (character) => {
  const [event] = eventsOf(undefined, status([{ ...refused[0]!, message: character.repeat(2000) }]));
  const note = event?.note ?? "";
  expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1024);
  expect(Buffer.byteLength(note)).toBeGreaterThan(1024 - 8);
  expect(note.replaceAll(character, "")).toBe("…");
});

test("a note that fits is not cut", () => {
  const [event] = eventsOf(undefined, status([{ ...refused[0]!, message: "x".repeat(1024) }]));
  expect(event?.note).toBe("x".repeat(1024));
});

test("an Event always has words, and says what was being done", () => {
  const [event] = eventsOf(undefined, status([{ ...refused[0]!, message: "" }]));
  expect(event).toMatchObject({ note: "condition Accepted is False", action: "Validating" });
});
