/** The words of the compiled table. Everything here is plain, cloneable data: it crosses from the control thread. */

declare const brand: unique symbol;

/** `namespace/service:port`, the port being the number a backendRef names. */
export type UpstreamKey = string & { readonly [brand]: "UpstreamKey" };
/** `namespace/route/ruleName`; the same rule keeps its id over every edit. */
export type RuleId = string & { readonly [brand]: "RuleId" };

export interface NameValue {
  readonly name: string;
  readonly value: string;
}

export interface CompiledPath {
  readonly type: "Exact" | "PathPrefix";
  /** Starts with `/`; a prefix has no trailing `/` unless it is `/` itself. */
  readonly value: string;
}

/** One alternative under which a rule applies; every part of it must hold. */
export interface CompiledMatch {
  readonly path: CompiledPath;
  /** Names in lower case. A request's repeated header is compared as one value joined by `, ` (RFC 9110 5.3). */
  readonly headers: readonly NameValue[];
  /** Names and values after percent-decoding; the first of a repeated name counts. */
  readonly queryParams: readonly NameValue[];
  /** The request must offer at least one of them; empty = no condition. */
  readonly subprotocols: readonly string[];
}

export interface WeightedUpstream {
  readonly upstream: UpstreamKey;
  readonly weight: number;
}

export interface HeaderEdits {
  readonly set: readonly NameValue[];
  readonly add: readonly NameValue[];
  readonly remove: readonly string[];
}

export interface Rewrite {
  readonly path: { readonly type: "ReplacePrefixMatch" | "ReplaceFullPath"; readonly value: string } | undefined;
  readonly host: string | undefined;
}

/** How requests and tunnels of a rule are treated. 0 = off. What is for tunnels has the names it has in the relay. */
export interface RulePolicy {
  readonly plainHTTP: "Forward" | "Reject";
  readonly handshakeMs: number;
  readonly responseHeadersMs: number;
  readonly requestMs: number;
  readonly idleMs: number;
  readonly lifetimeMs: number;
  readonly lifetimeJitterPercent: number;
  readonly pingMs: number;
  readonly backendPingMs: number;
  /** Never off. */
  readonly pongTimeoutMs: number;
  readonly strictness: "Observe" | "Enforce";
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly controlFramesPerSecond: number;
  readonly onLimit: "Pause" | "Close";
  readonly drain: DrainPolicy;
  readonly balancing: Balancing;
  /** A backend that became ready gets its share little by little in this time. */
  readonly slowStartMs: number;
  /** undefined = requests are not bound to backends. */
  readonly affinity: AffinityPolicy | undefined;
  readonly health: HealthPolicy;
  readonly retry: RetryPolicy;
  readonly admission: AdmissionPolicy;
}

/** The cookie that binds a client to a backend. */
export interface AffinityPolicy {
  readonly cookieName: string;
  /** Max-Age; 0 = as long as the browser's session. */
  readonly ttlMs: number;
  readonly path: string;
  readonly sameSite: "Lax" | "Strict" | "None";
  readonly isSecure: boolean;
}

/** Which backends are passed over although the source says that they are ready. */
export interface HealthPolicy {
  /** When fewer than so many percent of those that are ready are well, only failed dials count. */
  readonly panicPercent: number;
  readonly passive: PassiveHealth;
  /** undefined = no probes. */
  readonly active: ActiveHealth | undefined;
}

/** What may speak against a backend, of what is seen of requests and tunnels. */
export type HealthSign = "DialFailure" | "BadAnswer" | "EarlyEnd";

export interface PassiveHealth {
  /** Empty = off. */
  readonly signs: readonly HealthSign[];
  /** So many bad answers and early ends eject a backend. */
  readonly failures: number;
  /** The first ejection lasts so long, each further one in a row twice as long. */
  readonly ejectMs: number;
  readonly longestEjectMs: number;
  /** Of an upstream's ready backends, those ejected at once for anything but failed dials. */
  readonly maxEjectedPercent: number;
}

/** How backends are probed. */
export interface ActiveHealth {
  /** The same for all rules that ask for the same, so that they share probes. */
  readonly key: string;
  readonly type: "TCP" | "HTTP" | "WebSocket";
  /** With its query. */
  readonly path: string;
  /** undefined = the backend's address and port. */
  readonly host: string | undefined;
  /** 0 = the backend's own. */
  readonly port: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** In a row. */
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
}

export type RetryReason = "Connect" | "Timeout" | "502" | "503";

export interface RetryPolicy {
  readonly on: readonly RetryReason[];
  /** Tries beside the first. */
  readonly attempts: number;
  /** Of the rule's requests, in percent. */
  readonly budgetPercent: number;
}

/** What a rule takes on. 0 = no limit, no queue, no hold. */
export interface AdmissionPolicy {
  readonly maxTunnels: number;
  readonly maxTunnelsPerBackend: number;
  readonly handshakesPerSecond: number;
  readonly queueSize: number;
  readonly queueMs: number;
  readonly holdSize: number;
  readonly holdMs: number;
}

/** How a rule chooses among the backends of one upstream. */
export type Balancing =
  | { readonly algorithm: "LeastTunnels" | "RoundRobin" | "Random" }
  | { readonly algorithm: "ConsistentHash"; readonly hashOn: HashSource };

/** What of a request a backend is chosen by. */
export type HashSource =
  | { readonly type: "ClientIP" }
  /** In lower case. A repeated header is one value joined by `, ` (RFC 9110 5.3). */
  | { readonly type: "Header"; readonly name: string }
  /** As it is; of a parameter, after percent-decoding. The first of a repeated name counts. */
  | { readonly type: "Cookie" | "QueryParam"; readonly name: string };

/** What becomes of a rule's tunnels when their backend is to be left. */
export interface DrainPolicy {
  /** The backend is terminating, or has vanished from the list. */
  readonly onBackendRemoval: "Keep" | "Close";
  /** It is listed, not ready, and not terminating. */
  readonly onUnready: "Keep" | "Close";
  /** The rule gives its upstream no share any more: weight 0, or not among its backendRefs. */
  readonly onZeroWeight: "Keep" | "Close";
  /** The last tunnel is closed so long after the drain began. Above 0. */
  readonly withinMs: number;
  /** Tunnels of the rule closed in any second, at most; 0 = as many as `withinMs` asks for. */
  readonly perSecond: number;
  /** What the client is told (RFC 6455 7.4); a backend hears 1001. */
  readonly closeCode: number;
  /** Printable ASCII, up to 123 characters; may be empty. */
  readonly closeReason: string;
}

export interface CompiledRule {
  readonly id: RuleId;
  /** `namespace/name` of the route. */
  readonly route: string;
  /** The rule's name, or its index as text. */
  readonly rule: string;
  readonly backends: readonly WeightedUpstream[];
  readonly rewrite: Rewrite | undefined;
  readonly requestHeaders: HeaderEdits | undefined;
  readonly responseHeaders: HeaderEdits | undefined;
  readonly policy: RulePolicy;
}

/** One match of one rule, as it stands in a host's list. */
export interface CompiledEntry {
  readonly match: CompiledMatch;
  readonly rule: CompiledRule;
}

/**
 * What changed since the generation before: for each host pattern its whole new list in order of precedence, or null
 * when the host is gone. Patterns are lower case: `chat.example.com`, `*.example.com`, or `*` for every host.
 */
export interface TableDelta {
  readonly generation: number;
  readonly hosts: ReadonlyMap<string, readonly CompiledEntry[] | null>;
}

/** The facts of a request that a table looks at. */
export interface MatchFacts {
  /** Lower case, without port. */
  readonly host: string;
  /** The raw path, without query; starts with `/`. */
  readonly path: string;
  /** The raw query without `?`; "" when there is none. */
  readonly query: string;
  /** Pairs as received; names in any case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly subprotocols: readonly string[];
}

/** A frozen table; a request reads `TableRef.current` once and keeps what it got. */
export interface RoutingTable {
  readonly generation: number;
  match(facts: MatchFacts): CompiledEntry | undefined;
  /** All that stands in it, in no order; for lists that people read, which may be walked in turns. */
  entries(): Iterable<HostEntry>;
}

/** An entry with the host pattern that it stands under. */
export interface HostEntry {
  /** `chat.example.com`, `*.example.com`, or `*`. */
  readonly host: string;
  readonly entry: CompiledEntry;
}

export interface TableRef {
  readonly current: RoutingTable;
}

/** One address of an upstream as the source says it is. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** UID of the Pod behind the address, where it is known: addresses are reused, UIDs are not. */
  readonly podUid: string | undefined;
  /** nil counts as true. */
  readonly ready: boolean;
  /** nil counts as `ready`. */
  readonly serving: boolean;
  /** nil counts as false. */
  readonly terminating: boolean;
  /**
   * Zones whose clients the endpoint is meant for; only there when every endpoint of its upstream that is ready has such
   * hints, since half of them would leave Pods without tunnels.
   */
  readonly zones?: readonly string[] | undefined;
}
