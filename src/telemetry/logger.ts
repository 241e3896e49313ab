import { pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { LogSink } from "./log-sink.ts";
import { redactFields } from "./redaction.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
/** auto: pretty in a terminal, JSON otherwise. */
export const LOG_FORMATS = ["auto", "json", "pretty"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** How much may wait for a slow reader of the log before lines are dropped. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** A file descriptor, or the path of a file. */
  readonly destination: number | string;
  /** What `auto` goes by. */
  readonly isTerminal: boolean;
  /** Bytes that may wait to be written; what comes beyond is dropped and counted. Default 8 MiB. */
  readonly maxWaitingBytes?: number;
}

export interface Logger {
  readonly log: pino.Logger;
  /** Lines lost because the reader of the log was too slow, since the start. */
  readonly droppedLines: () => number;
  /** Writes what waits, for half a second at most: the last call before the exit. */
  readonly end: () => void;
}

/**
 * The log of the process: asynchronous and bounded, so that a blocked terminal or a full pipe never stops a tunnel.
 * What waits is also written when the process exits. Fields are redacted, see `redactFields`.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { destination, maxWaitingBytes = MAX_WAITING_BYTES } = options;
  const sink = new LogSink({ destination, maxWaitingBytes });
  const end = (): void => {
    process.removeListener("exit", end);
    sink.end();
  };
  process.on("exit", end);
  const isPretty = options.format === "pretty" || (options.format === "auto" && options.isTerminal);
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redactFields },
    },
    isPretty ? prettyStream(sink, options.isTerminal) : sink,
  );
  return { log, droppedLines: () => sink.droppedLines, end };
}

function prettyStream(sink: LogSink, colorize: boolean): pino.DestinationStream {
  const format = prettyFactory({ colorize, singleLine: true, translateTime: "SYS:HH:MM:ss.l" });
  return {
    write(line: string): void {
      sink.write(format(line) ?? "");
    },
  };
}
