import type { Fault, Read } from "./fault.ts";
import type { DrainView, Operations, Page, Part } from "./operations.ts";
import { backendOrders, closeOrders, type DrainDefaults, processOrders } from "./orders.ts";
import { AGE_PLACE, decodeCursor, encodeCursor, NAME_PLACE, type PlaceForm } from "./places.ts";
import {
  BACKENDS_QUERY,
  CLOSE_BODY,
  DRAIN_BODY,
  DRAINS_QUERY,
  filterOf,
  PROCESS_BODY,
  readForm,
  ROUTES_QUERY,
  TUNNELS_QUERY,
} from "./request-forms.ts";

/** What becomes of a request that was understood. */
export type Outcome =
  | { readonly body: object }
  | { readonly fault: Fault }
  /** The answer comes when that drain is over. */
  | { readonly waitFor: DrainView };

type Promised = Outcome | Promise<Outcome>;

/** Whom the actions act on. */
export interface ActionsOptions {
  readonly operations: Operations;
  readonly defaults: DrainDefaults;
}

const PAGE_ITEMS = 100;

/** Drains that no operator began. */
const OTHER_OWNERS: readonly { readonly ids: RegExp; readonly message: string }[] = [
  {
    ids: /^auto\//,
    message: "this drain follows the policy of a rule: change `drain` in the WebSocketRoute to stop it",
  },
  { ids: /^shutdown$/, message: "the process has been told to end: that cannot be stopped" },
];

/** Each of the operator's paths as a function of what a request says. Nothing here throws on that. */
export class Actions {
  readonly #operations: Operations;
  readonly #defaults: DrainDefaults;

  constructor({ operations, defaults }: ActionsOptions) {
    this.#operations = operations;
    this.#defaults = defaults;
  }

  tunnels(said: object): Promised {
    const read = readForm(TUNNELS_QUERY, said);
    if ("fault" in read) return read;
    const filter = filterOf(read.value);
    return listed(AGE_PLACE, read.value, (part) => this.#operations.tunnels(filter, part));
  }

  backends(said: object): Promised {
    const read = readForm(BACKENDS_QUERY, said);
    if ("fault" in read) return read;
    const { upstream } = read.value;
    return listed(NAME_PLACE, read.value, (part) => this.#operations.backends({ upstream }, part));
  }

  routes(said: object): Promised {
    const read = readForm(ROUTES_QUERY, said);
    if ("fault" in read) return read;
    const { route } = read.value;
    return listed(NAME_PLACE, read.value, (part) => this.#operations.rules({ route }, part));
  }

  drains(said: object): Promised {
    const read = readForm(DRAINS_QUERY, said);
    if ("fault" in read) return read;
    const { id } = read.value;
    return listed(AGE_PLACE, read.value, (part) => this.#operations.drains({ id }, part));
  }

  close(said: object): Outcome {
    const read = readForm(CLOSE_BODY, said);
    if ("fault" in read) return read;
    const filter = filterOf(read.value);
    const hasFilter = Object.values(filter).some((part) => part !== undefined);
    if (hasFilter === (read.value.all === true)) {
      const message = hasFilter
        ? "all means every tunnel: leave it out, or the filter"
        : "say which tunnels: at least one field of the filter, or all: true for every tunnel of this replica";
      return { fault: { code: "bad_request", field: "all", message } };
    }
    return begun(this.#operations.close(filter, closeOrders(read.value)), read.value.wait);
  }

  drain(said: object): Outcome {
    const read = readForm(DRAIN_BODY, said);
    if ("fault" in read) return read;
    const { backend, wait } = read.value;
    if (backend === undefined) return this.#drainProcess(processOrders(read.value, this.#defaults), wait);
    if (read.value.grace !== undefined) {
      const message = "grace is for the whole process; a backend takes no new tunnels from the first moment on";
      return { fault: { code: "bad_request", field: "grace", message } };
    }
    return begun(this.#operations.drainBackend(backend, backendOrders(read.value)), wait);
  }

  /** As an application's preStop asks for it. */
  drainAndWait(said: object): Outcome {
    const read = readForm(PROCESS_BODY, said);
    if ("fault" in read) return read;
    return this.#drainProcess(processOrders(read.value, this.#defaults), read.value.wait ?? true);
  }

  stopDrain(id: string): Outcome {
    const stopped = this.#operations.stopDrain(id);
    if (stopped !== undefined) return { body: stopped };
    const owner = OTHER_OWNERS.find(({ ids }) => ids.test(id));
    if (owner !== undefined) return { fault: { code: "not_an_operators", message: owner.message } };
    const message = `no drain of that id is under way on this replica; GET /v1/drains lists them`;
    return { fault: { code: "no_such_drain", message } };
  }

  #drainProcess(orders: Read<Parameters<Operations["drainProcess"]>[0]>, wait: boolean | undefined): Outcome {
    if ("fault" in orders) return orders;
    return begun(this.#operations.drainProcess(orders.value), wait);
  }
}

function begun(drain: DrainView | undefined, wait: boolean | undefined): Outcome {
  if (drain === undefined) {
    const message = "too many orders are in force on this replica; GET /v1/drains lists them, DELETE stops one";
    return { fault: { code: "too_many_orders", message } };
  }
  return wait === true && drain.state === "running" ? { waitFor: drain } : { body: drain };
}

/** The page of a list that the query asks for. */
async function listed<Item, Place>(
  form: PlaceForm<Place>,
  query: { readonly limit?: number | undefined; readonly cursor?: string | undefined },
  page: (part: Part<Place>) => Page<Item, Place> | Promise<Page<Item, Place>>,
): Promise<Outcome> {
  const after = query.cursor === undefined ? undefined : decodeCursor(form, query.cursor);
  if (query.cursor !== undefined && after === undefined) {
    const message = "cursor must be `next` of an answer of this path; leave it out to begin anew";
    return { fault: { code: "bad_field", field: "cursor", message } };
  }
  const { items, total, next } = await page({ after, limit: query.limit ?? PAGE_ITEMS });
  return { body: { items, total, ...(next !== undefined && { next: encodeCursor(form, next) }) } };
}
