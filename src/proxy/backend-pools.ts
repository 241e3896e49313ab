import type { Socket } from "node:net";
import { Pool } from "undici";
import type { TimerHandle, TimerWheel } from "../relay/index.ts";
import type { Backend, BackendId } from "../upstream/index.ts";
import { dial, type DialFailure } from "./dial.ts";
import type { ForbiddenCheck } from "./forbidden-targets.ts";

export interface BackendPoolsOptions {
  readonly wheel: TimerWheel;
  readonly now: () => number;
  /** Milliseconds a connection attempt may take. */
  readonly connectTimeoutMs: number;
  /** undefined = every target is allowed. */
  readonly isForbidden: ForbiddenCheck | undefined;
  /** Bytes of a response's head. */
  readonly maxHeadBytes: number;
  /** Kept connections without a request are closed after this, unless the backend's Keep-Alive says sooner. */
  readonly idleConnectionMs?: number;
  /** A pool that nobody asked for this long is closed. */
  readonly idlePoolMs?: number;
  /** The pool asked for least recently makes room for one more. */
  readonly maxPools?: number;
}

interface OpenPool {
  readonly pool: Pool;
  lastUsedMs: number;
}

/** A dial that came to nothing; tells undici's own errors, which may come after bytes were written, from ours. */
export class DialError extends Error {
  readonly failure: DialFailure;

  constructor(failure: DialFailure, reason: string) {
    super(reason);
    this.name = "DialError";
    this.failure = failure;
  }
}

/** A connection is not kept for longer than this, so that a burst's connections do not stay for ever. */
const MAX_CONNECTION_AGE_MS = 300_000;

/** Kept connections to backends for plain HTTP: one undici pool for each, made when it is first asked for. */
export class BackendPools {
  readonly #options: BackendPoolsOptions;
  /** In order of use, the longest unused first. */
  readonly #pools = new Map<BackendId, OpenPool>();
  /** Closed to new requests, with some still under way. */
  readonly #closing = new Set<Pool>();
  readonly #idlePoolMs: number;
  #sweep: TimerHandle | undefined = undefined;

  constructor(options: BackendPoolsOptions) {
    this.#options = options;
    this.#idlePoolMs = options.idlePoolMs ?? 60_000;
  }

  /** Pools that take requests. */
  get size(): number {
    return this.#pools.size;
  }

  /** To be asked for each request anew: pools come and go. */
  poolOf(backend: Backend): Pool {
    let open = this.#pools.get(backend.id);
    if (open === undefined) {
      open = { pool: this.#open(backend), lastUsedMs: 0 };
      this.#makeRoom();
    }
    this.#pools.delete(backend.id);
    this.#pools.set(backend.id, open);
    open.lastUsedMs = this.#options.now();
    this.#sweep ??= this.#options.wheel.schedule(this.#idlePoolMs, () => this.#closeIdle());
    return open.pool;
  }

  /** The backend is gone: its pool is closed once the requests under way are done. */
  forget(id: BackendId): void {
    const open = this.#pools.get(id);
    if (open === undefined) return;
    this.#pools.delete(id);
    this.#close(open.pool);
  }

  /** Closes every connection; requests under way fail. */
  async destroy(): Promise<void> {
    this.#options.wheel.cancel(this.#sweep);
    this.#sweep = undefined;
    const pools = [...this.#closing, ...[...this.#pools.values()].map((open) => open.pool)];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #open({ address, port }: Backend): Pool {
    const { wheel, connectTimeoutMs, isForbidden, maxHeadBytes, idleConnectionMs } = this.#options;
    // The origin is a name only: the connector knows where to go, and every request brings its Host.
    return new Pool("http://backend", {
      allowH2: false,
      pipelining: 1,
      bodyTimeout: 0,
      headersTimeout: 0,
      maxHeaderSize: maxHeadBytes,
      keepAliveTimeout: idleConnectionMs ?? 4_000,
      clientTtl: MAX_CONNECTION_AGE_MS,
      connect: (_options, done) => {
        dial({ address, port }, { wheel, timeoutMs: connectTimeoutMs, isForbidden }, (result) => {
          if ("socket" in result) done(null, readOnWhenUnheard(result.socket));
          else done(new DialError(result.failure, result.reason), null);
        });
      },
    });
  }

  #makeRoom(): void {
    if (this.#pools.size < (this.#options.maxPools ?? 4_096)) return;
    const oldest = this.#pools.keys().next();
    if (oldest.done !== true) this.forget(oldest.value);
  }

  #closeIdle(): void {
    this.#sweep = undefined;
    const limitMs = this.#options.now() - this.#idlePoolMs;
    for (const [id, open] of this.#pools) {
      if (open.lastUsedMs > limitMs) break;
      this.forget(id);
    }
    if (this.#pools.size === 0) return;
    this.#sweep = this.#options.wheel.schedule(this.#idlePoolMs, () => this.#closeIdle());
  }

  #close(pool: Pool): void {
    this.#closing.add(pool);
    const forgetPool = (): void => void this.#closing.delete(pool);
    // A pool destroyed while it closes rejects; then it is closed as well.
    pool.close().then(forgetPool, forgetPool);
  }
}

/**
 * A backend may answer before the end of an upload and close (413, 401): what we still write fails, and Node would
 * destroy the connection with the answer unread. So such a failure only discards what is written; reading goes on and
 * ends by itself, since the backend's end of the connection is gone.
 */
function readOnWhenUnheard(socket: Socket): Socket {
  const write = socket._write.bind(socket);
  const writeAll = socket._writev?.bind(socket);
  socket._write = (chunk, encoding, done) => write(chunk, encoding, (error) => done(unlessUnheard(error)));
  if (writeAll !== undefined)
    socket._writev = (chunks, done) => writeAll(chunks, (error) => done(unlessUnheard(error)));
  return socket;
}

function unlessUnheard(error: NodeJS.ErrnoException | null | undefined): NodeJS.ErrnoException | null {
  return error === undefined || error?.code === "EPIPE" || error?.code === "ECONNRESET" ? null : error;
}
