import { API_GROUP, API_VERSION, CONTROLLER_NAME, ROUTE_KIND } from "../api/index.ts";
import { TokenBucket } from "../controller/index.ts";
import type { RouteStatus } from "../status/index.ts";
import { eventsOf, type RouteEvent } from "./events-said.ts";
import { microTime } from "./micro-time.ts";
import type { Api, KubeObserver, Leadership } from "./types.ts";

export interface RouteEventsParts {
  readonly api: Api;
  readonly leadership: Pick<Leadership, "isLeader">;
  /** Of this process. */
  readonly identity: string;
  readonly observer: Pick<KubeObserver, "event">;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
}

/** An Event is about one object, not about whatever has its name later. */
export interface EventSubject {
  /** `namespace/name`. */
  readonly name: string;
  readonly uid: string;
}

const TIMEOUT_MS = 5_000;
/** Of all routes together. */
const BURST = 50;
const PER_SECOND = 5;
/** Of one route. */
const ROUTE_BURST = 5;
const ROUTE_PER_SECOND = 1 / 60;
const MOST_UNDER_WAY = 20;
/** Beyond this many routes the buckets of those that were quiet are forgotten. */
const MOST_BUCKETS = 1000;
const LONGEST_BEGINNING = 50;
/** events.k8s.io/v1: of reportingInstance. */
const LONGEST_INSTANCE = 128;

/**
 * Tells on a route, as Events, what its owner must know. A courtesy: conditions say the same and stay. What is too much
 * is dropped and counted, what fails is counted and not tried again, and nobody waits for it.
 */
export class RouteEvents {
  readonly #parts: RouteEventsParts;
  readonly #all: TokenBucket;
  readonly #ofRoute = new Map<string, TokenBucket>();
  #underWay = 0;

  constructor(parts: RouteEventsParts) {
    this.#parts = parts;
    this.#all = new TokenBucket({ burst: BURST, perSecond: PER_SECOND, now: parts.now });
  }

  /** The status of a route was written: `before` stood there. */
  statusWritten(route: EventSubject, before: RouteStatus | undefined, after: RouteStatus): void {
    if (!this.#parts.leadership.isLeader) return;
    for (const event of eventsOf(before, after)) {
      if (this.#mayGo(route.uid)) void this.#send(route, event);
      else this.#parts.observer.event("dropped");
    }
  }

  #mayGo(uid: string): boolean {
    if (this.#underWay >= MOST_UNDER_WAY) return false;
    let bucket = this.#ofRoute.get(uid);
    if (bucket === undefined) {
      const { now } = this.#parts;
      bucket = new TokenBucket({ burst: ROUTE_BURST, perSecond: ROUTE_PER_SECOND, now });
      this.#forgetQuiet();
      this.#ofRoute.set(uid, bucket);
    }
    return bucket.waitMs() === 0 && this.#all.take() && bucket.take();
  }

  async #send(route: EventSubject, event: RouteEvent): Promise<void> {
    const { api, observer } = this.#parts;
    this.#underWay += 1;
    try {
      const [namespace = ""] = route.name.split("/");
      const path = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`;
      await api.request({ method: "POST", path, body: this.#objectOf(route, event), timeoutMs: TIMEOUT_MS });
      observer.event("sent");
    } catch {
      observer.event("failed");
    } finally {
      this.#underWay -= 1;
    }
  }

  #objectOf(route: EventSubject, { type, reason, action, note }: RouteEvent): object {
    const { identity, wallMs } = this.#parts;
    const [namespace = "", name = ""] = route.name.split("/");
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { namespace, generateName: `${beginningOf(name)}-` },
      regarding: { apiVersion: `${API_GROUP}/${API_VERSION}`, kind: ROUTE_KIND, namespace, name, uid: route.uid },
      eventTime: microTime(wallMs()),
      reportingController: CONTROLLER_NAME,
      reportingInstance: identity.slice(0, LONGEST_INSTANCE),
      type,
      reason,
      action,
      note,
    };
  }

  /** A bucket that is full says no more than none. */
  #forgetQuiet(): void {
    if (this.#ofRoute.size < MOST_BUCKETS) return;
    for (const [uid, bucket] of this.#ofRoute) if (bucket.isFull) this.#ofRoute.delete(uid);
  }
}

/** Of a route's name, so much that it makes a name together with what the API server puts behind it. */
function beginningOf(name: string): string {
  return name.slice(0, LONGEST_BEGINNING).replace(/[.-]+$/, "");
}
