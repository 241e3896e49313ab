/**
 * What an operator may ask of this process, and what it answers. `app/` builds it from the rooms that know; the API over
 * HTTP and the commands are only two ways to reach it. Everything is about this replica alone.
 */
export interface Operations {
  /** Names this replica in every answer, so that nobody takes its counts for those of all replicas. */
  readonly replica: string;
  /** Live tunnels that the filter picks, the oldest first; closing ones included. */
  tunnels(filter: TunnelFilter, part: Part<AgePlace>): Page<TunnelView, AgePlace>;
  /** Backends that are listed or still carry something, by upstream and `address:port`. */
  backends(filter: BackendFilter, part: Part<string>): Page<BackendView, string>;
  /** Rules of the table in force, by name. Later, since a table may be too large for one turn of the data thread. */
  rules(filter: RuleFilter, part: Part<string>): Promise<Page<RuleView, string>>;
  /** Drains under way, whoever began them, and the process's own as long as it lasts; the oldest first. */
  drains(filter: DrainFilter, part: Part<AgePlace>): Page<DrainView, AgePlace>;
  /**
   * Begins to close what the filter picks now; tunnels that come later are not meant. Undefined: too many orders are in
   * force.
   */
  close(filter: TunnelFilter, orders: DrainOrders): DrainView | undefined;
  /**
   * Takes a backend (`address:port`, in every upstream that has it) out of the choice and closes its tunnels, until it is
   * stopped. Again: new orders. Undefined: too many orders are in force.
   */
  drainBackend(target: string, orders: DrainOrders): DrainView | undefined;
  /**
   * The whole process: unready at once, all tunnels closed in time, new ones refused after the grace, until it is stopped.
   * Again: new orders.
   */
  drainProcess(orders: ProcessDrainOrders): DrainView;
  /** Stops a drain that an operator began; what has been told to close closes. Undefined: there is none of that id. */
  stopDrain(id: string): DrainView | undefined;
  /** Resolves when the drain is over: nothing is left, its time is up, or someone stopped it. At once for an unknown id. */
  whenOver(id: string): Promise<DrainView | undefined>;
}

/** Which part of a list is asked for. */
export interface Part<Place> {
  /** What comes behind that place; undefined = from the beginning. */
  readonly after: Place | undefined;
  /** Above 0. */
  readonly limit: number;
}

/** A part of a list. Lists change between two pages; a place keeps its meaning, whatever comes and goes. */
export interface Page<Item, Place> {
  readonly items: readonly Item[];
  /** In the whole list at this moment. */
  readonly total: number;
  /** Where to go on; undefined = this was the end. */
  readonly next: Place | undefined;
}

/** A place in a list by age. */
export interface AgePlace {
  /** On this process's monotonic clock. */
  readonly atMs: number;
  readonly id: string;
}

export interface BackendFilter {
  /** `namespace/service:port`; undefined = all. */
  readonly upstream: string | undefined;
}

export interface RuleFilter {
  /** `namespace/name`; undefined = all. */
  readonly route: string | undefined;
}

export interface DrainFilter {
  /** undefined = all. */
  readonly id: string | undefined;
}

/** Every part that is given must hold. */
export interface TunnelFilter {
  /** `namespace/name`. */
  readonly route?: string | undefined;
  readonly rule?: string | undefined;
  /** `namespace/service:port`. */
  readonly upstream?: string | undefined;
  /** `address:port`, `[address]:port` for IPv6. */
  readonly backend?: string | undefined;
  /** An address, or a range as `10.0.0.0/8`. */
  readonly client?: string | undefined;
  readonly id?: string | undefined;
  /** Open for at least so long. */
  readonly minAgeMs?: number | undefined;
  /** No byte from either side for at least so long. */
  readonly minIdleMs?: number | undefined;
}

/** How fast, and with which words, tunnels are closed. */
export interface DrainOrders {
  /** The last one is closed by then, unless `perSecond` forbids it; spread evenly. 0 = as fast as `perSecond` allows. */
  readonly withinMs: number;
  /** At most so many in any second; 0 = as many as `withinMs` asks for. */
  readonly perSecond: number;
  /** What clients are told; backends hear 1001. */
  readonly closeCode: number;
  /** Printable ASCII, up to 123 characters. */
  readonly closeReason: string;
}

export interface ProcessDrainOrders extends DrainOrders {
  /** New tunnels are accepted so long; they are closed with the others. */
  readonly graceMs: number;
}

export interface TunnelView {
  readonly id: string;
  readonly route: string;
  readonly rule: string;
  readonly upstream: string;
  readonly backend: string;
  readonly client: string;
  readonly ageMs: number;
  readonly idleMs: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly messagesUp: number;
  readonly messagesDown: number;
}

export interface BackendView {
  readonly upstream: string;
  /** `address:port`. */
  readonly backend: string;
  readonly podUid: string | undefined;
  /**
   * Accepting: takes new tunnels. Full: carries as many as a rule lets it. Ejected, failing: passed over for what was seen of
   * it, or since it fails a probe. Cordoned: out of the choice by an order. The others: as the source says.
   */
  readonly state:
    | "accepting"
    | "full"
    | "ejected"
    | "failing"
    | "cordoned"
    | "unready"
    | "terminating"
    | "vanished"
    | "unlisted";
  /** Of an ejected one: what spoke against it, and for how long it is passed over. */
  readonly ejection: { readonly sign: "DialFailure" | "BadAnswer" | "EarlyEnd"; readonly endsInMs: number } | undefined;
  /** Since when, on this replica. */
  readonly stateMs: number;
  readonly tunnels: number;
  /** Handshakes and plain requests under way. */
  readonly pending: number;
  /** Its drains under way, of all rules together; undefined = none. */
  readonly drain: { readonly left: number; readonly closed: number; readonly endsInMs: number | undefined } | undefined;
}

export interface RuleView {
  readonly route: string;
  readonly rule: string;
  readonly hosts: readonly string[];
  /** `PathPrefix /chat`, for each match. */
  readonly matches: readonly string[];
  readonly backends: readonly { readonly upstream: string; readonly weight: number }[];
  readonly tunnels: number;
}

export interface DrainView {
  /** `process`, `backend/10.0.0.5:8010`, `close/3` for an operator's; `auto/7` for one that a rule's policy began. */
  readonly id: string;
  readonly reason: string;
  /** What is drained, in words: a backend, a route and rule, the filter. */
  readonly target: string;
  readonly state: "running" | "late" | "done" | "stopped";
  /** Not yet told to close. */
  readonly waiting: number;
  /** Told, and not yet gone. */
  readonly closing: number;
  /** Gone since it began, whoever ended them. */
  readonly gone: number;
  /** Since it began. */
  readonly ageMs: number;
  /** Until the last one is closed; below 0 when late; undefined: as soon as the pace allows. */
  readonly endsInMs: number | undefined;
}
