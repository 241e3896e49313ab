import { pino } from "pino";
import { prettyFactory } from "pino-pretty";
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
  /** Writes what waits and returns when it is written; for the exit. */
  readonly flushSync: () => void;
}

/**
 * The log of the process: asynchronous and bounded, so that a blocked terminal or a full pipe never stops a tunnel.
 * What waits is also written when the process exits. Fields are redacted, see `redactFields`.
 */
export function createLogger(options: LoggerOptions): Logger {
  let dropped = 0;
  // No minimal length: lines that come while a write is under way go out together with the next one.
  const sink = pino.destination({
    dest: options.destination,
    sync: false,
    maxLength: options.maxWaitingBytes ?? MAX_WAITING_BYTES,
  });
  sink.on("drop", () => dropped++);
  // A log that nobody reads any more (EPIPE) is no reason to stop serving.
  sink.on("error", () => dropped++);
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
  return { log, droppedLines: () => dropped, flushSync: () => flushQuietly(sink) };
}

type Sink = ReturnType<typeof pino.destination>;

function prettyStream(sink: Sink, colorize: boolean): pino.DestinationStream {
  const format = prettyFactory({ colorize, singleLine: true, translateTime: "SYS:HH:MM:ss.l" });
  return {
    write(line: string): void {
      sink.write(format(line) ?? "");
    },
  };
}

function flushQuietly(sink: Sink): void {
  try {
    sink.flushSync();
  } catch {
    // Not opened yet, or the reader is gone: there is nobody to tell.
  }
}
