import { pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { redactFields } from "./redaction.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
/** auto: pretty in a terminal, JSON otherwise. */
export const LOG_FORMATS = ["auto", "json", "pretty"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Where lines go; must neither throw nor wait. */
interface LineSink {
  /** Takes one line, its end included. */
  write(line: string): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly sink: LineSink;
  /** What `auto` goes by. */
  readonly isTerminal: boolean;
}

/** The log of the process. Fields are redacted, see `redactFields`. */
export function createLogger(options: LoggerOptions): pino.Logger {
  const { level, sink, isTerminal } = options;
  return pino(
    {
      level,
      base: null,
      timestamp: isoTime(Date.now),
      formatters: { level: (label) => ({ level: label }), log: redactFields },
    },
    isPretty(options) ? prettyStream(sink, isTerminal) : sink,
  );
}

/** Whether lines are for the eye, not JSON. */
export function isPretty({ format, isTerminal }: Pick<LoggerOptions, "format" | "isTerminal">): boolean {
  return format === "pretty" || (format === "auto" && isTerminal);
}

/** The time as RFC 3339 says it. A burst of lines asks for it thousands of times in one second, which is written once. */
export function isoTime(now: () => number): () => string {
  let second = Number.NaN;
  let text = "";
  return () => {
    const nowMs = now();
    const current = Math.floor(nowMs / 1000);
    if (current !== second) {
      second = current;
      text = new Date(current * 1000).toISOString().slice(0, -"000Z".length);
    }
    return `,"time":"${text}${String(nowMs - current * 1000).padStart(3, "0")}Z"`;
  };
}

function prettyStream(sink: LineSink, colorize: boolean): pino.DestinationStream {
  const format = prettyFactory({ colorize, singleLine: true, translateTime: "SYS:HH:MM:ss.l" });
  return {
    write(line: string): void {
      sink.write(format(line) ?? "");
    },
  };
}
