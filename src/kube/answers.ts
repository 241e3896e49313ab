import type { Head } from "./exchange.ts";
import { ApiError } from "./types.ts";

/** Of an answer that is no JSON: a proxy's page, say. */
const LONGEST_TEXT = 300;
const LONGEST_MESSAGE = 1000;

/** What an answer that is no success says. */
export function refusalOf({ status, headers }: Head, text: string): ApiError {
  const seconds = headers["retry-after"];
  // As a date it would need the server's clock; the API server sends seconds.
  const retryAfterMs = seconds !== undefined && /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : undefined;
  const said = statusOf(parse(text));
  if (said === undefined) {
    const words = text.trim().replaceAll(/\s+/g, " ").slice(0, LONGEST_TEXT);
    return new ApiError({ status, message: words === "" ? `HTTP ${status}` : words, retryAfterMs });
  }
  return new ApiError({ ...said, status, retryAfterMs: retryAfterMs ?? said.retryAfterMs });
}

/** What the `Status` in an ERROR event of a watch says. */
export function errorOfEvent(object: unknown): ApiError {
  const said = statusOf(object);
  return new ApiError(
    said ?? { status: 0, reason: "BadAnswer", message: "the watch ended with an error without words" },
  );
}

interface Said {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

function statusOf(value: unknown): Said | undefined {
  if (!isRecord(value) || value["kind"] !== "Status") return undefined;
  const { code, reason, message, details } = value;
  const seconds = isRecord(details) ? details["retryAfterSeconds"] : undefined;
  return {
    status: typeof code === "number" ? code : 0,
    reason: typeof reason === "string" ? reason : "",
    message: typeof message === "string" ? message.slice(0, LONGEST_MESSAGE) : "no words were given",
    retryAfterMs: typeof seconds === "number" && seconds > 0 ? seconds * 1000 : undefined,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
