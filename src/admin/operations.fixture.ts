import type {
  AgePlace,
  BackendFilter,
  BackendView,
  DrainFilter,
  DrainOrders,
  DrainView,
  Operations,
  Page,
  Part,
  ProcessDrainOrders,
  RuleFilter,
  RuleView,
  TunnelFilter,
  TunnelView,
} from "./operations.ts";
import { mapPage, pageOf } from "./page.ts";
import { byAge, byName } from "./places.ts";
import { filterInWords, tunnelTest } from "./tunnel-filter.ts";

/** An order as it arrived. */
export interface Order {
  readonly what: "close" | "backend" | "process";
  readonly of: TunnelFilter | string | undefined;
  readonly orders: DrainOrders | ProcessDrainOrders;
}

interface Drain {
  view: DrainView;
  readonly atMs: number;
  readonly over: PromiseWithResolvers<DrainView>;
}

/** `tunnel("a", { client: "10.0.0.1" })`: a quiet one of a route in `apps`. */
export function tunnel(id: string, fields: Partial<TunnelView> = {}): TunnelView {
  return {
    id,
    route: "apps/chat",
    rule: "main",
    upstream: "apps/chat:80",
    backend: "10.1.0.1:8010",
    client: "10.0.0.1",
    ageMs: 60_000,
    idleMs: 1_000,
    bytesUp: 10,
    bytesDown: 20,
    messagesUp: 1,
    messagesDown: 2,
    ...fields,
  };
}

/** `backend("10.1.0.1:8010")`: one that takes new tunnels. */
export function backend(target: string, fields: Partial<BackendView> = {}): BackendView {
  return {
    upstream: "apps/chat:80",
    backend: target,
    podUid: undefined,
    state: "accepting",
    ejection: undefined,
    stateMs: 5_000,
    tunnels: 3,
    pending: 0,
    drain: undefined,
    ...fields,
  };
}

/** `rule("apps/chat", "main")`: one that serves every path of one host. */
export function rule(route: string, name: string, fields: Partial<RuleView> = {}): RuleView {
  return {
    route,
    rule: name,
    hosts: ["chat.example.com"],
    matches: ["PathPrefix /"],
    backends: [{ upstream: "apps/chat:80", weight: 1 }],
    tunnels: 3,
    ...fields,
  };
}

/** Lists in memory, and drains that end when a test says so. */
export class MemoryOperations implements Operations {
  readonly replica = "holdfast-1";
  tunnelList: TunnelView[] = [];
  backendList: BackendView[] = [];
  ruleList: RuleView[] = [];
  readonly orders: Order[] = [];
  /** How often somebody has begun to wait. */
  asked = 0;
  readonly #drains = new Map<string, Drain>();
  #serial = 0;

  tunnels(filter: TunnelFilter, part: Part<AgePlace>): Page<TunnelView, AgePlace> {
    const test = tunnelTest(filter);
    const items = this.tunnelList.filter((view) => test({ ...view, clientAddress: view.client }, view));
    return pageOf(
      items,
      byAge(
        ({ ageMs }) => -ageMs,
        ({ id }) => id,
      ),
      part,
    );
  }

  backends({ upstream }: BackendFilter, part: Part<string>): Page<BackendView, string> {
    const items = this.backendList.filter((view) => upstream === undefined || view.upstream === upstream);
    return pageOf(
      items,
      byName((view) => `${view.upstream} ${view.backend}`),
      part,
    );
  }

  rules({ route }: RuleFilter, part: Part<string>): Promise<Page<RuleView, string>> {
    const items = this.ruleList.filter((view) => route === undefined || view.route === route);
    return Promise.resolve(
      pageOf(
        items,
        byName((view) => `${view.route} ${view.rule}`),
        part,
      ),
    );
  }

  drains({ id }: DrainFilter, part: Part<AgePlace>): Page<DrainView, AgePlace> {
    const items = [...this.#drains.values()].filter(({ view }) => id === undefined || view.id === id);
    const order = byAge<Drain>(
      ({ atMs }) => atMs,
      ({ view }) => view.id,
    );
    return mapPage(pageOf(items, order, part), ({ view }) => view);
  }

  close(filter: TunnelFilter, orders: DrainOrders): DrainView {
    this.#serial += 1;
    this.orders.push({ what: "close", of: filter, orders });
    const test = tunnelTest(filter);
    const picked = this.tunnelList.filter((view) => test({ ...view, clientAddress: view.client }, view));
    const begun = this.#begin(`close/${this.#serial}`, filterInWords(filter));
    // Where nobody is, nothing is left to do.
    return picked.length > 0 ? begun : (this.end(begun.id, { state: "done", waiting: 0 }) ?? begun);
  }

  drainBackend(target: string, orders: DrainOrders): DrainView {
    this.orders.push({ what: "backend", of: target, orders });
    return this.#begin(`backend/${target}`, `backend ${target}`);
  }

  drainProcess(orders: ProcessDrainOrders): DrainView {
    this.orders.push({ what: "process", of: undefined, orders });
    return this.#begin("process", "the whole process");
  }

  stopDrain(id: string): DrainView | undefined {
    return this.end(id, { state: "stopped" });
  }

  whenOver(id: string): Promise<DrainView | undefined> {
    this.asked += 1;
    return this.#drains.get(id)?.over.promise ?? Promise.resolve(undefined);
  }

  /** As something that happened to a drain under way. */
  change(id: string, fields: Partial<DrainView>): void {
    const drain = this.#drains.get(id);
    if (drain !== undefined) drain.view = { ...drain.view, ...fields };
  }

  end(id: string, fields: Partial<DrainView>): DrainView | undefined {
    const drain = this.#drains.get(id);
    if (drain === undefined) return undefined;
    this.#drains.delete(id);
    const view = { ...drain.view, ...fields };
    drain.over.resolve(view);
    return view;
  }

  #begin(id: string, target: string): DrainView {
    const known = this.#drains.get(id);
    if (known !== undefined) return known.view;
    const counts = { waiting: this.tunnelList.length, closing: 0, gone: 0, ageMs: 0, endsInMs: 25_000 };
    const view: DrainView = { id, reason: "operator", target, state: "running", ...counts };
    this.#drains.set(id, { view, atMs: this.#drains.size, over: Promise.withResolvers() });
    return view;
  }
}
