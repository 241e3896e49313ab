import { expect, test } from "vitest";
import type { Log } from "../controller/index.ts";
import type { RoutePatch } from "../status/index.ts";
import { LogStatusWriter } from "./index.ts";

type Condition = RoutePatch["conditions"][number];

const accepted: Condition = { type: "Accepted", status: "True", reason: "Accepted", message: "" };
const invalid: Condition = { type: "Accepted", status: "False", reason: "Invalid", message: "spec.rules: is required" };
const unresolved: Condition = {
  type: "ResolvedRefs",
  status: "False",
  reason: "BackendNotFound",
  message: "no Service",
};

function newWriter(): {
  readonly writer: LogStatusWriter;
  readonly write: (route: string, ...conditions: Condition[]) => Promise<string[]>;
} {
  const lines: string[] = [];
  const say = (level: string) => (fields: object, message: string) =>
    void lines.push(`${level} ${message}: ${Object.values(fields).join(" ")}`);
  const log: Log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  const writer = new LogStatusWriter(log);
  return {
    writer,
    write: async (route, ...conditions) => {
      await writer.write([{ route, generation: 1, conditions }]);
      return lines.splice(0);
    },
  };
}

test("what is well is not said", async () => {
  expect(await newWriter().write("apps/chat", accepted)).toEqual([]);
});

test("what is not True is said once, and once more when it changes", async () => {
  const writer = newWriter();
  const line = "warn route condition is not met: apps/chat Accepted False Invalid spec.rules: is required";
  expect(await writer.write("apps/chat", invalid)).toEqual([line]);
  expect(await writer.write("apps/chat", invalid)).toEqual([]);
  expect(await writer.write("apps/chat", { ...invalid, message: "spec.rules: too many" })).toHaveLength(1);
});

test("each condition and each route is said for itself", async () => {
  const writer = newWriter();
  expect(await writer.write("apps/chat", invalid, unresolved)).toHaveLength(2);
  expect(await writer.write("apps/game", invalid)).toHaveLength(1);
});

test("a recovery is said once, and a relapse again", async () => {
  const writer = newWriter();
  await writer.write("apps/chat", invalid);
  expect(await writer.write("apps/chat", accepted)).toEqual([
    "info route condition is met again: apps/chat Accepted Accepted",
  ]);
  expect(await writer.write("apps/chat", accepted)).toEqual([]);
  expect(await writer.write("apps/chat", invalid)).toHaveLength(1);
});

test("what is met in part is said, and when it is met altogether again", async () => {
  const writer = newWriter();
  const programmed: Condition = { type: "Programmed", status: "True", reason: "Programmed", message: "" };
  const inPart: Condition = { ...programmed, reason: "PartlyConflicting", message: "spec.rules[1]: taken" };
  expect(await writer.write("apps/chat", inPart)).toEqual([
    "warn route condition is met in part: apps/chat Programmed True PartlyConflicting spec.rules[1]: taken",
  ]);
  expect(await writer.write("apps/chat", programmed)).toEqual([
    "info route condition is met again: apps/chat Programmed Programmed",
  ]);
});

test("what was written stands, counts too, until the route is gone", async () => {
  const { writer } = newWriter();
  const backends = { ready: 1, draining: 0 };
  await writer.write([
    { route: "apps/chat", generation: 1, conditions: [accepted], backends },
    { route: "apps/gone", generation: 1, conditions: [accepted] },
  ]);
  writer.retain(new Map([["apps/chat", {}]]));
  expect(writer.standing("apps/chat")).toMatchObject({ generation: 1, conditions: [accepted], backends });
  expect(writer.standing("apps/gone")).toBeUndefined();
  expect(writer.isActive).toBe(true);
});
