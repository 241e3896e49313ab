/** A request to the API server, as the rest of this room speaks of it. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  /** Path from the root, without a query: `/apis/coordination.k8s.io/v1/namespaces/a/leases/b`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Of the body; default `application/json`. Server-side apply is `application/apply-patch+yaml`. */
  readonly contentType?: string;
  /** Milliseconds until the request is given up; default 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The API server as far as writers and the Lease object need it. */
export interface Api {
  /** The answer's JSON. Rejects with an ApiError, whatever went wrong. */
  request(request: ApiRequest): Promise<unknown>;
}

/** What the API server refused, or why nobody answered. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status; 0 = no answer: not reached, cut off, or too late. */
  readonly status: number;
  /** `reason` of the server's Status object (`Conflict`, `NotFound`, `Expired`), or "". */
  readonly reason: string;
  /** What the server asks to wait before the next try (Retry-After), in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(options: {
    readonly status: number;
    readonly reason?: string;
    readonly message: string;
    readonly retryAfterMs?: number | undefined;
    readonly cause?: unknown;
  }) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = options.status;
    this.reason = options.reason ?? "";
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Why a watch ended. `done`: the server's own end after its time; `rewound`: the server went back to an older state. */
export type WatchEnd = "done" | "expired" | "lost" | "silent" | "rewound";

/** What this room tells about its work; becomes metrics elsewhere. Every call is cheap and never throws. */
export interface KubeObserver {
  watchEnded(kind: string, cause: WatchEnd): void;
  statusWritten(result: "written" | "failed"): void;
  event(result: "sent" | "failed" | "dropped"): void;
}

/** Which of the replicas writes to the cluster. */
export interface Leadership {
  readonly isLeader: boolean;
  /** `listener` is called at each change. */
  onChange(listener: (isLeader: boolean) => void): void;
}
