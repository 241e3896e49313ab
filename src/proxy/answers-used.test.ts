import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ANSWERS } from "./answers.ts";

test("every code of the table is given by some source file of the room", () => {
  const sources = readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(".ts") && !/[.](test|fixture)[.]ts$/.test(file) && file !== "answers.ts")
    .map((file) => readFileSync(join(import.meta.dirname, file), "utf8"))
    .join("\n");
  expect(Object.keys(ANSWERS).filter((code) => !sources.includes(`"${code}"`))).toEqual([]);
});
