import { type ClientRequest, request as httpRequest, type RequestOptions } from "node:http";
import { json } from "node:stream/consumers";
import type { AdminTarget } from "./types.ts";

/** For an answer that does not wait for anything. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Nobody is there, or what is there is no Holdfast; the message says where, why and what to do. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

export interface AdminRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly body?: object;
  /** The answer may take as long as it likes. */
  readonly isPatient?: boolean;
}

export interface AdminAnswer {
  readonly status: number;
  /** What was JSON. */
  readonly body: unknown;
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOENT: "there is no such socket",
  EACCES: "this user may not open it; use the user that Holdfast runs as",
  ENOTFOUND: "the name does not resolve to an address",
  EHOSTUNREACH: "no way leads there",
  ENETUNREACH: "no way leads there",
  ECONNRESET: "the connection ended before an answer came",
  EPIPE: "the connection ended before an answer came",
};

/** As people write it. */
function targetInWords(at: AdminTarget): string {
  if (at.kind === "socket") return at.path;
  return at.host.includes(":") ? `[${at.host}]:${at.port}` : `${at.host}:${at.port}`;
}

/** One request on a connection of its own. Rejects with `Unreachable` when no answer comes that a Holdfast could give. */
export async function askAdmin(at: AdminTarget, asked: AdminRequest): Promise<AdminAnswer> {
  try {
    return await send(at, asked);
  } catch (error) {
    if (error instanceof Unreachable) throw error;
    const why = WORDS[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
    const hint = "Say with --admin <address> or --admin-socket <path> where a Holdfast serves its operators.";
    throw new Unreachable(`cannot reach Holdfast at ${targetInWords(at)}: ${why}. ${hint}`, { cause: error });
  }
}

function send(at: AdminTarget, { method, path, body, isPatient }: AdminRequest): Promise<AdminAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const place: RequestOptions = at.kind === "socket" ? { socketPath: at.path } : { host: at.host, port: at.port };
  const headers =
    text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...place, method, path, headers, agent: false });
    if (isPatient !== true) endWithoutAnswer(request);
    request.once("error", reject);
    request.once("response", (response) => {
      const { statusCode: status = 0 } = response;
      json(response).then(
        (answer) => resolve({ status, body: answer }),
        () => reject(new Unreachable(strangerAt(at, status))),
      );
    });
    request.end(text);
  });
}

function endWithoutAnswer(request: ClientRequest): void {
  request.setTimeout(ANSWER_TIMEOUT_MS, () => {
    request.destroy(new Error(`no answer came in ${ANSWER_TIMEOUT_MS / 1_000}s`));
  });
}

/** What is said when something answers that does not speak as Holdfast does. */
export function strangerAt(at: AdminTarget, status: number): string {
  return (
    `what answers at ${targetInWords(at)} (HTTP ${status}) does not serve operators: no Holdfast, or one of another version. ` +
    "Is it the address of --admin, and not the one that clients connect to?"
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
