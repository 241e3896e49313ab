import { expect, test } from "vitest";
import { createLogger, isoTime, type LoggerOptions } from "./logger.ts";

function logger(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) };
  return { log: createLogger({ level: "info", format: "json", isTerminal: false, sink, ...options }), lines };
}

test("lines are JSON with time, level and message, without process and host", () => {
  const { log, lines } = logger();
  log.info({ route: "apps/chat" }, "tunnel ended");
  const line = JSON.parse(lines[0]!) as Record<string, unknown>;
  expect(line).toEqual({ level: "info", time: expect.any(String), route: "apps/chat", msg: "tunnel ended" });
  expect(Number.isNaN(Date.parse(String(line["time"])))).toBe(false);
});

test("secrets do not reach the file", () => {
  const { log, lines } = logger();
  log.warn({ detail: "/ws?token=s3cret", headers: { authorization: "s3cret", cookie: "s3cret" } }, "request refused");
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain("s3cret");
});

test.for([
  { name: "a terminal gets pretty lines", format: "auto", isTerminal: true, isJson: false },
  { name: "a pipe gets JSON", format: "auto", isTerminal: false, isJson: true },
  { name: "pretty lines may be asked for", format: "pretty", isTerminal: false, isJson: false },
] as const)("$name", ({ format, isTerminal, isJson }) => {
  const { log, lines } = logger({ format, isTerminal });
  log.info({ port: 8020 }, "listening");
  expect(lines[0]?.startsWith("{")).toBe(isJson);
  expect(lines[0]).toContain("listening");
});

test("times are those of RFC 3339 to the millisecond, also from one second to the next and back", () => {
  let nowMs = 0;
  const text = isoTime(() => nowMs);
  for (const at of [0, 7, 999, 1_000, 1_700_000_000_042, 1_700_000_000_999, 1_700_000_001_000, 1_699_999_999_999]) {
    nowMs = at;
    expect(text()).toBe(`,"time":"${new Date(at).toISOString()}"`);
  }
});
