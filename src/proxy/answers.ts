/** A header pair; spelt out here so that this table imports nothing. */
type Pair = readonly [name: string, value: string];

/** What the data path says when something goes wrong. */
export interface Answer {
  /** HTTP status of the answer; before the 101 every failure is an answer. */
  readonly status: number;
  /** Whose fault it is. */
  readonly source: "client" | "backend" | "internal";
  /** Another backend may be tried, if no byte of the request has been written. */
  readonly retryable: boolean;
  readonly level: "debug" | "info" | "warn" | "error";
  /** One line for the body of the answer and for the reference page. */
  readonly title: string;
  /** What to do about it, for the reference page. */
  readonly help: string;
  /** Headers without which the answer would be incomplete. */
  readonly headers?: readonly Pair[];
}

const UPGRADE_HERE: readonly Pair[] = [
  ["connection", "Upgrade"],
  ["upgrade", "websocket"],
];
/** Seconds; backends come back in about this time when they roll. */
const SOON: readonly Pair[] = [["retry-after", "1"]];

/** Seconds. What waits for slow sides has gone by then, or the slowest are being shed. */
const SOME_SECONDS: readonly Pair[] = [["retry-after", "5"]];
/** Seconds. Tunnels end when they end: clients come back seldom enough to leave room for the rest of the work. */
const A_WHILE: readonly Pair[] = [["retry-after", "10"]];

/** The one table of data-path errors. A new code without an answer does not compile. */
export const ANSWERS = {
  HF_BAD_REQUEST: {
    status: 400,
    source: "client",
    retryable: false,
    level: "debug",
    title: "The request is not valid HTTP, or could be read in two ways",
    help: "Send one Content-Length or `Transfer-Encoding: chunked`, never both, and headers without control characters. Shapes that two servers could read differently are refused, since they are how requests are smuggled.",
  },
  HF_BAD_HOST: {
    status: 400,
    source: "client",
    retryable: false,
    level: "debug",
    title: "The Host header is missing, repeated or not a valid host",
    help: "Send exactly one Host header: a DNS name, an IPv4 address or an IPv6 address in brackets, with a port from 1 to 65535 if there is one. An authority in the request target must name the same host and port.",
  },
  HF_BAD_PATH: {
    status: 400,
    source: "client",
    retryable: false,
    level: "debug",
    title: "The path could be read in two ways",
    help: "Paths with `.` or `..` segments (escaped ones and `..;` too), `%2f`, `%5c`, `%00`, a backslash, `#`, a control or non-ASCII character or a malformed percent-escape are refused: what is matched must be what the backend reads. Normalise and percent-encode the path before sending it.",
  },
  HF_BAD_TARGET: {
    status: 400,
    source: "client",
    retryable: false,
    level: "debug",
    title: "The request target is not a path or an http URL",
    help: "Send a path that starts with `/`, or an absolute http or https URL without user information. `*` is not served. Percent-encode spaces, `#` and non-ASCII characters in the query.",
  },
  HF_HEAD_TOO_LARGE: {
    status: 431,
    source: "client",
    retryable: false,
    level: "debug",
    title: "The head of the request is too large",
    help: "Shorten the request: most often cookies have grown, or a token travels in the query.",
  },
  HF_REQUEST_TIMEOUT: {
    status: 408,
    source: "client",
    retryable: false,
    level: "debug",
    title: "The request did not arrive in time",
    help: "The connection was opened, and its request was not complete when the time for it was over. Connections that say nothing are ended the same way.",
  },
  HF_NO_ROUTE: {
    status: 404,
    source: "client",
    retryable: false,
    level: "debug",
    title: "No route matches this request",
    help: "No rule matches this host, path, headers, query and subprotocols. See whether the route is Accepted, and whether its hostnames and matches fit.",
  },
  HF_PLAIN_HTTP_REJECTED: {
    status: 426,
    source: "client",
    retryable: false,
    level: "debug",
    title: "This path serves WebSocket only",
    help: "The rule has `plainHTTP: Reject`. Connect with a WebSocket client; if you did, something between it and Holdfast has removed the Upgrade header.",
    headers: UPGRADE_HERE,
  },
  HF_UPGRADE_VERSION: {
    status: 426,
    source: "client",
    retryable: false,
    level: "debug",
    title: "The WebSocket version is not 13",
    help: "Send exactly one `Sec-WebSocket-Version: 13` (RFC 6455 4.2.2).",
    headers: [...UPGRADE_HERE, ["sec-websocket-version", "13"]],
  },
  HF_UPGRADE_BODY: {
    status: 400,
    source: "client",
    retryable: false,
    level: "debug",
    title: "A WebSocket handshake has no body",
    help: "Send the handshake without Transfer-Encoding and without a Content-Length above 0. Bytes behind its head belong to the tunnel.",
  },
  HF_UPGRADE_KEY: {
    status: 400,
    source: "client",
    retryable: false,
    level: "debug",
    title: "Sec-WebSocket-Key is missing, repeated or not 16 bytes in base64",
    help: "Send exactly one Sec-WebSocket-Key: 16 random bytes in base64 (RFC 6455 4.1).",
  },
  HF_UPGRADE_METHOD: {
    status: 405,
    source: "client",
    retryable: false,
    level: "debug",
    title: "A WebSocket handshake is a GET",
    help: "Send the handshake with the method GET (RFC 6455 4.1).",
    headers: [["allow", "GET"]],
  },
  HF_METHOD: {
    status: 501,
    source: "client",
    retryable: false,
    level: "debug",
    title: "The method is not served",
    help: "CONNECT and TRACE are not forwarded: Holdfast is no open proxy, and TRACE gives a page's cookies back to it.",
  },
  HF_LOOP: {
    status: 508,
    source: "internal",
    retryable: false,
    level: "warn",
    title: "The request has been here before",
    help: "Via holds this instance's own name, or the names of too many Holdfast instances. An endpoint of some Service leads back to Holdfast: look at the Services and EndpointSlices that the route names.",
  },
  HF_NO_BACKEND: {
    status: 503,
    source: "backend",
    retryable: false,
    level: "warn",
    title: "No backend is ready",
    help: "The rule's Services have no ready endpoint, or all that there are were tried. See the route's condition ResolvedRefs and the readiness of the Pods. With `admission.holdUntilReady` handshakes wait instead; this is then the answer to those that waited in vain and to those for which the hold was full.",
    headers: SOON,
  },
  HF_RULE_FULL: {
    status: 503,
    source: "internal",
    retryable: false,
    level: "warn",
    title: "The rule has as many tunnels as it may",
    help: "`admission.maxTunnels`, or `admission.maxTunnelsPerBackend` on every backend, is reached in this replica, and the rule's queue is full, is not set, or was waited in for as long as it lets one. Each answer has another Retry-After. Raise the limit, add Pods or replicas, or let `queue` be longer.",
    headers: A_WHILE,
  },
  HF_RATE_LIMITED: {
    status: 503,
    source: "internal",
    retryable: false,
    level: "info",
    title: "Too many handshakes of the rule begin at once",
    help: "`admission.handshakesPerSecond` is used up in this replica, and the rule's queue is full, is not set, or was waited in for as long as it lets one. Retry-After names a moment at which the rate has room: clients that keep to it come as fast as they are let in. Raise the rate as far as the backends can take it, or add replicas.",
    headers: SOON,
  },
  HF_DIAL_REFUSED: {
    status: 502,
    source: "backend",
    retryable: true,
    level: "warn",
    title: "The backend refused the connection",
    help: "Nothing listens on the endpoint's port, or a network policy rejects it. Compare the Service's targetPort with the port of the container.",
  },
  HF_DIAL_TIMEOUT: {
    status: 504,
    source: "backend",
    retryable: true,
    level: "warn",
    title: "The backend did not accept the connection in time",
    help: "The endpoint does not answer at all: the node is gone, a network policy drops packets, or the backend's accept queue is full.",
  },
  HF_FORBIDDEN_TARGET: {
    status: 502,
    source: "backend",
    retryable: true,
    level: "warn",
    title: "The backend's address is one that Holdfast does not connect to",
    help: "In a cluster no route may reach Holdfast's own machine: loopback, link-local, unspecified, multicast and broadcast addresses and Holdfast's own listeners are refused, in every spelling (IPv4 inside IPv6 too). Look at the addresses in the EndpointSlices of the rule's Services and, for a Service of type ExternalName, at what its name resolves to; give it addresses of Pods.",
  },
  HF_HANDSHAKE_TIMEOUT: {
    status: 504,
    source: "backend",
    retryable: false,
    level: "warn",
    title: "The handshake was not answered in time",
    help: "The rule's `timeouts.handshake` ran out before the backend's answer.",
  },
  HF_BACKEND_RESET: {
    status: 502,
    source: "backend",
    retryable: false,
    level: "warn",
    title: "The backend ended the connection before it had answered",
    help: "The backend crashed, was restarted or closed the connection without an answer. Its own log says why.",
  },
  HF_BACKEND_BAD_RESPONSE: {
    status: 502,
    source: "backend",
    retryable: false,
    level: "warn",
    title: "The backend's answer is not valid HTTP",
    help: "Something else than HTTP/1.1 listens on the endpoint's port, for example TLS or HTTP/2 only, or the answer is malformed or too large.",
  },
  HF_BAD_SWITCH: {
    status: 502,
    source: "backend",
    retryable: false,
    level: "warn",
    title: "The backend's 101 does not answer the handshake",
    help: "Its Upgrade, Connection, Sec-WebSocket-Accept, subprotocol or extensions are not what RFC 6455 4.1 demands for what the client had offered.",
  },
  HF_RESPONSE_TIMEOUT: {
    status: 504,
    source: "backend",
    retryable: false,
    level: "warn",
    title: "The backend did not begin its answer in time",
    help: "The rule's `timeouts.responseHeaders` ran out.",
  },
  HF_REQUEST_DEADLINE: {
    status: 504,
    source: "backend",
    retryable: false,
    level: "info",
    title: "The request took too long",
    help: "The rule's `timeouts.request` ran out.",
  },
  HF_DRAINING: {
    status: 503,
    source: "internal",
    retryable: false,
    level: "info",
    title: "This replica is being emptied",
    help: "An operator, or a Pod's preStop hook, drains the whole process, and the time in which it still took new tunnels is over; or the process ends, and whoever still waited for its rule is sent on. Plain requests go on. Clients that try again reach another replica, since this one is not ready. `holdfast drains` shows it; `holdfast drain --stop` ends it.",
    headers: SOME_SECONDS,
  },
  HF_BUFFERS_FULL: {
    status: 503,
    source: "internal",
    retryable: false,
    level: "warn",
    title: "Too much waits in other tunnels",
    help: "Clients or backends take what they are sent too slowly, and what waits for them has used up `--buffer-budget`. Until it is down to nine tenths no tunnel is opened; open ones and plain requests go on, the readers with most waiting are held, and those that have not moved for half a minute are closed with 1013. See `holdfast_buffered_bytes`; add memory or replicas.",
    headers: SOME_SECONDS,
  },
  HF_TOO_MANY_TUNNELS: {
    status: 503,
    source: "internal",
    retryable: false,
    level: "warn",
    title: "This process holds as many tunnels as it may",
    help: "`--max-tunnels`, or the limit of open files (`ulimit -n`) where that flag is not given: each tunnel takes two. Raise the limit, or add replicas. Plain requests go on.",
    headers: A_WHILE,
  },
  HF_TOO_MANY_CONNECTIONS: {
    status: 503,
    source: "internal",
    retryable: false,
    level: "warn",
    title: "This process has as many connections as it may",
    help: "The limit of open files (`ulimit -n`) allows no more connections of clients, whatever they are for. Raise it, add replicas, or see who opens connections and does not use them. Far above the bound connections are closed without this answer.",
    headers: A_WHILE,
  },
  HF_INTERNAL: {
    status: 500,
    source: "internal",
    retryable: false,
    level: "error",
    title: "Holdfast failed",
    help: "A fault of ours; the log has the details. Please report it.",
  },
} as const satisfies Record<string, Answer>;

/** Stable: stands in the header `holdfast-error`, in logs and in metrics. */
export type ProxyErrorCode = keyof typeof ANSWERS;

export function answerOf(code: ProxyErrorCode): Answer {
  return ANSWERS[code];
}

const NO_PAIRS: readonly Pair[] = [];

/**
 * Headers that belong to the code (Upgrade, Allow, Retry-After ...), names in lower case. `connection: Upgrade` among
 * them is an option to be joined with the writer's own, such as `close`.
 */
export function answerHeaders(code: ProxyErrorCode): readonly Pair[] {
  return answerOf(code).headers ?? NO_PAIRS;
}

/** A failure of the data path with its answer; `detail` is for the client and the log, so it names no secret. */
export class ProxyError extends Error {
  readonly code: ProxyErrorCode;
  readonly detail: string;

  constructor(code: ProxyErrorCode, detail: string, cause?: unknown) {
    super(detail === "" ? code : `${code}: ${detail}`, cause === undefined ? undefined : { cause });
    this.name = "ProxyError";
    this.code = code;
    this.detail = detail;
  }

  get answer(): Answer {
    return answerOf(this.code);
  }
}
