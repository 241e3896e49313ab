import fc from "fast-check";
import { expect, test } from "vitest";
import { createLogger, type LoggerOptions } from "./logger.ts";
import { type PlainFields, plainLines } from "./plain-lines.ts";

function both(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) };
  const all: LoggerOptions = { level: "info", format: "json", isTerminal: false, sink, ...options };
  const log = createLogger(all);
  return { log, plain: plainLines(all, log), lines };
}

/** Two lines are not written in the same millisecond. */
function timeless(line: string): string {
  return line.replace(/"time":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"/, '"time"');
}

const values = fc.oneof(fc.string({ unit: "binary" }), fc.double(), fc.integer(), fc.boolean(), fc.constant(undefined));
const names = fc
  .stringMatching(/^[a-z][A-Za-z]{0,11}$/)
  .filter((name) => !["msg", "level", "time", "err"].includes(name));
const fields: fc.Arbitrary<PlainFields> = fc.dictionary(names, values, { maxKeys: 20 });

test("a plain line is the logger's, byte for byte", () => {
  const { log, plain, lines } = both();
  fc.assert(
    fc.property(fields, fc.string({ unit: "binary" }), (some, message) => {
      // What the logger would hide is not for plain lines.
      fc.pre(
        !/=/.test(Object.values(some).join("")) && !Object.keys(some).some((name) => /^(token|secret)$/.test(name)),
      );
      lines.length = 0;
      log.info(some, message.replaceAll("%", ""));
      plain.info(some, message.replaceAll("%", ""));
      expect(lines).toHaveLength(2);
      const [loggers, ours] = lines.map(timeless);
      expect(ours).toBe(loggers);
    }),
    { numRuns: 1_000 },
  );
});

test.for([
  { level: "debug", isWritten: true },
  { level: "info", isWritten: true },
  { level: "warn", isWritten: false },
  { level: "error", isWritten: false },
] as const)("at level $level a plain line is written: $isWritten", ({ level, isWritten }) => {
  const { plain, lines } = both({ level });
  plain.info({ route: "apps/chat" }, "tunnel ended");
  expect(lines).toHaveLength(isWritten ? 1 : 0);
});

test("in a terminal a plain line is as pretty as the others", () => {
  const { log, plain, lines } = both({ format: "auto", isTerminal: true });
  log.info({ route: "apps/chat" }, "tunnel ended");
  plain.info({ route: "apps/chat" }, "tunnel ended");
  const [loggers, ours] = lines.map((line) => line.replace(/^\[[0-9:.]+\]/, "[]"));
  expect(loggers).toContain("tunnel ended");
  expect(ours).toBe(loggers);
});
