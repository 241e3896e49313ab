import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LogRelay } from "./log-relay.ts";

let batches: (readonly string[])[];
beforeEach(() => {
  batches = [];
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function relay(maxWaitingChars?: number): LogRelay {
  const send = (lines: readonly string[]): void => void batches.push(lines);
  return new LogRelay({ send, ...(maxWaitingChars !== undefined && { maxWaitingChars }) });
}

test("lines that come together cross together, whole and in order", () => {
  const log = relay();
  for (const line of ["a\n", "b\n", "c\n"]) log.write(line);
  expect(batches).toEqual([]);
  vi.runAllTimers();
  expect(batches).toEqual([["a\n", "b\n", "c\n"]]);
});

test("one batch is under way at a time, and none is too long for one turn", () => {
  const log = relay();
  const line = `${"x".repeat(1_023)}\n`;
  for (let i = 0; i < 100; i++) log.write(line);
  vi.runAllTimers();
  expect(batches.map((batch) => batch.length)).toEqual([64]);
  log.acknowledged();
  vi.runAllTimers();
  expect(batches.map((batch) => batch.length)).toEqual([64, 36]);
});

test("what has no place while the main thread is busy is dropped and counted, and room comes back", () => {
  const log = relay(10);
  for (const line of ["12345\n", "123\n", "1\n"]) log.write(line);
  expect(log.droppedLines).toBe(1);
  vi.runAllTimers();
  log.write("12345678\n");
  expect(log.droppedLines).toBe(1);
  log.acknowledged();
  vi.runAllTimers();
  expect(batches).toEqual([["12345\n", "123\n"], ["12345678\n"]]);
});

test("at the end all that waits goes at once, whatever is under way", () => {
  const log = relay();
  log.write("a\n");
  vi.runAllTimers();
  log.write("b\n");
  log.flush();
  expect(batches).toEqual([["a\n"], ["b\n"]]);
  vi.runAllTimers();
  expect(batches).toHaveLength(2);
});
