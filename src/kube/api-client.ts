import { type After, afterDelay } from "../controller/index.ts";
import { isRecord, refusalOf } from "./answers.ts";
import { Connections } from "./connections.ts";
import type { Credentials } from "./credentials.ts";
import { exchange, type Exchange, type Head, STALE_CONNECTION } from "./exchange.ts";
import { Lines } from "./lines.ts";
import { type Api, ApiError, type ApiRequest } from "./types.ts";

export interface ApiClientOptions {
  readonly credentials: Credentials;
  /** Of Holdfast, for the User-Agent. */
  readonly version: string;
  readonly after?: After;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
}

/** What list-watches ask. */
export interface ReadRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** The API server as far as list-watches need it. */
export interface WatchApi {
  /** One page of a list, as JSON; it may take however long, as long as bytes come. Rejects with an ApiError. */
  page(request: ReadRequest): Promise<unknown>;
  /**
   * Follows a watch: `onEvents` is called with the events of each chunk together. Resolves when the server ends it in
   * order; rejects with an ApiError otherwise, or with what `onEvents` throws. Silence is no reason to end it.
   */
  watch(request: ReadRequest, onEvents: (events: readonly unknown[]) => void): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** The API server gives up on a request of its own after 60 s (--request-timeout). */
const PAGE_SILENCE_MS = 65_000;
/** Many times what the largest object can have (etcd takes 1.5 MiB), twice or more what the largest page should. */
const LONGEST_EVENT_BYTES = 8 * 2 ** 20;
const LARGEST_PAGE_BYTES = 64 * 2 ** 20;
const LARGEST_REFUSAL_BYTES = 64 * 2 ** 10;
const MOST_STALE_CONNECTIONS = 3;

type Call = Pick<Exchange, "method" | "path" | "headers" | "body" | "silenceMs" | "totalMs" | "signal">;

/**
 * Requests to the API server over connections that are kept. Every failure is an ApiError; a 401 is tried again once,
 * when reading the credentials anew gave others.
 */
export class ApiClient implements Api, WatchApi {
  readonly #credentials: Credentials;
  readonly #userAgent: string;
  readonly #after: After;
  readonly #now: () => number;
  readonly #connections = new Connections();

  constructor({ credentials, version, after, now }: ApiClientOptions) {
    this.#credentials = credentials;
    this.#userAgent = `holdfast/${version}`;
    this.#after = after ?? afterDelay;
    this.#now = now ?? (() => performance.now());
  }

  async request(request: ApiRequest): Promise<unknown> {
    const { method, path, query, body, contentType = "application/json", timeoutMs, signal } = request;
    return this.#json({
      method,
      path: withQuery(path, query),
      headers: body === undefined ? {} : { "content-type": contentType },
      body: body === undefined ? undefined : JSON.stringify(body),
      silenceMs: undefined,
      totalMs: timeoutMs ?? REQUEST_TIMEOUT_MS,
      signal,
    });
  }

  page(request: ReadRequest): Promise<unknown> {
    return this.#json(readCall(request, PAGE_SILENCE_MS));
  }

  async watch(request: ReadRequest, onEvents: (events: readonly unknown[]) => void): Promise<void> {
    const lines = new Lines(LONGEST_EVENT_BYTES);
    await this.#call(readCall(request, undefined), (chunk) => {
      const events = lines.take(chunk).map(parseJson);
      if (events.length > 0) onEvents(events);
    });
  }

  /** Ends the connections that are kept; requests under way go on. */
  close(): void {
    this.#connections.close();
  }

  async #json(call: Call): Promise<unknown> {
    const body = new Body(LARGEST_PAGE_BYTES);
    await this.#call(call, (chunk) => body.take(chunk));
    const value = parseJson(body.text());
    if (!isRecord(value)) throw badAnswer("it is no object");
    return value;
  }

  /** `onChunk` gets the body of an answer that is a success; any other becomes an ApiError. */
  async #call(call: Call, onChunk: (chunk: Buffer) => void): Promise<void> {
    for (let stale = 0, isRenewed = false; ; ) {
      const access = await this.#credentials.access();
      const refusal = new Body(LARGEST_REFUSAL_BYTES);
      let isSuccess = false;
      const connection = this.#connections.use(access);
      let head: Head;
      try {
        head = await exchange({
          ...call,
          headers: { accept: "application/json", "user-agent": this.#userAgent, ...call.headers },
          access,
          agent: connection.agent,
          after: this.#after,
          now: this.#now,
          onHead: ({ status }) => (isSuccess = status >= 200 && status < 300),
          onChunk: (chunk) => (isSuccess ? onChunk(chunk) : refusal.takeSome(chunk)),
        });
      } catch (error) {
        if (!isStale(error) || call.method !== "GET" || ++stale > MOST_STALE_CONNECTIONS) throw error;
        continue;
      } finally {
        connection.release();
      }
      if (isSuccess) return;
      if (head.status === 401 && !isRenewed && (await this.#credentials.refused(access))) {
        isRenewed = true;
        continue;
      }
      throw refusalOf(head, refusal.text());
    }
  }
}

/** A body of bounded size. */
class Body {
  readonly #mostBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  take(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#mostBytes) {
      const message = `the answer is larger than ${this.#mostBytes} bytes`;
      throw new ApiError({ status: 0, reason: "TooLarge", message });
    }
    this.#chunks.push(chunk);
  }

  /** Of what is beyond the bound nothing. */
  takeSome(chunk: Buffer): void {
    const part = chunk.subarray(0, this.#mostBytes - this.#bytes);
    this.#bytes += part.length;
    if (part.length > 0) this.#chunks.push(part);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

function readCall({ path, query, signal }: ReadRequest, silenceMs: number | undefined): Call {
  const whole = withQuery(path, query);
  return { method: "GET", path: whole, headers: {}, body: undefined, silenceMs, totalMs: undefined, signal };
}

function withQuery(path: string, query: Readonly<Record<string, string>> | undefined): string {
  const text = new URLSearchParams(query).toString();
  return text === "" ? path : `${path}?${text}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badAnswer(error instanceof Error ? error.message : String(error));
  }
}

function badAnswer(words: string): ApiError {
  return new ApiError({ status: 0, reason: "BadAnswer", message: `the answer cannot be read: ${words}` });
}

function isStale(error: unknown): boolean {
  return error instanceof ApiError && error.reason === STALE_CONNECTION;
}
