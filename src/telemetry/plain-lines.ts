import type { Log } from "../controller/index.ts";
import { isoTime, isPretty, type LoggerOptions } from "./logger.ts";

/** What a plain line may hold: nothing to look into, and nothing that could be a secret. */
export type PlainFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Writes lines at level info. */
export interface PlainLines {
  info(fields: PlainFields, message: string): void;
}

/**
 * Lines as the logger writes them, byte for byte, in a third of its time: for the one line that is written for each
 * tunnel, thousands of times a second. Nothing is redacted. Where lines are not JSON, the logger itself writes them.
 */
export function plainLines(options: LoggerOptions, log: Log): PlainLines {
  if (isPretty(options)) return log;
  const { sink, level } = options;
  if (level !== "debug" && level !== "info") return { info: () => {} };
  const time = isoTime(Date.now);
  return {
    info: (fields, message) => {
      const inner = JSON.stringify(fields).slice(1, -1);
      sink.write(`{"level":"info"${time()},${inner}${inner === "" ? "" : ","}"msg":${JSON.stringify(message)}}\n`);
    },
  };
}
