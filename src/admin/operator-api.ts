import type { IncomingMessage, ServerResponse } from "node:http";
import { Actions, type ActionsOptions, type Outcome } from "./actions.ts";
import { type Fault, type Read, statusOf } from "./fault.ts";
import { WaitingAnswers } from "./waiting-answers.ts";
import type { DrainView } from "./operations.ts";
import { readObject } from "./request-body.ts";
import { NO_QUERY, readForm, readQuery } from "./request-forms.ts";
import { contentTypeFault, guardFault, type Road } from "./request-guard.ts";

export interface OperatorApiOptions extends ActionsOptions {
  /** Hears of failures of `operations`. */
  readonly onError: (error: unknown) => void;
}

/** One path, by method. */
type Methods = Readonly<
  Partial<Record<string, (request: IncomingMessage, query: string) => Promise<Outcome | undefined>>>
>;

const PREFIX = "/v1";
const DRAIN_PREFIX = "/v1/drains/";

/** Serves the operator's paths, `/v1/...`, as JSON; whoever may not ask or asks wrongly is told so and nothing else. */
export class OperatorApi {
  readonly #options: OperatorApiOptions;
  readonly #actions: Actions;
  readonly #waiting: WaitingAnswers;
  readonly #paths: ReadonlyMap<string, Methods>;
  #isStopping = false;

  constructor(options: OperatorApiOptions) {
    this.#options = options;
    this.#actions = new Actions(options);
    this.#waiting = new WaitingAnswers(options.operations);
    const actions = this.#actions;
    this.#paths = new Map<string, Methods>([
      ["/v1/tunnels", { GET: asked((said) => actions.tunnels(said)) }],
      ["/v1/tunnels/close", { POST: ordered((said) => actions.close(said)) }],
      ["/v1/backends", { GET: asked((said) => actions.backends(said)) }],
      ["/v1/routes", { GET: asked((said) => actions.routes(said)) }],
      ["/v1/drains", { GET: asked((said) => actions.drains(said)), POST: ordered((said) => actions.drain(said)) }],
      ["/v1/drain", { POST: ordered((said) => actions.drainAndWait(said)) }],
    ]);
  }

  /** Whether a path is one of the operator's. */
  static isFor(path: string): boolean {
    return path === PREFIX || path.startsWith(`${PREFIX}/`);
  }

  /** Answers, now or when a drain is over. Never throws. */
  async serve(request: IncomingMessage, response: ServerResponse, road: Road): Promise<void> {
    try {
      const outcome = await this.#outcome(request, road);
      if (outcome === undefined) return void response.destroy();
      if ("waitFor" in outcome) this.#waitFor(outcome.waitFor, response);
      else this.#reply(request, response, outcome);
    } catch (error) {
      this.#options.onError(error);
      const message = "this failed through no fault of the request; the log says why";
      this.#reply(request, response, { fault: { code: "internal", message } });
    }
  }

  /** Answers all that wait for a drain. */
  stop(): void {
    this.#isStopping = true;
    this.#waiting.endAll();
  }

  async #outcome(request: IncomingMessage, road: Road): Promise<Outcome | undefined> {
    const fault = guardFault(request, road);
    if (fault !== undefined) return { fault };
    const target = request.url ?? "/";
    const mark = target.indexOf("?");
    const path = mark === -1 ? target : target.slice(0, mark);
    const methods = this.#methods(path);
    if (methods === undefined) return { fault: { code: "not_found", message: "no such path; / lists what is here" } };
    const action = methods[request.method ?? ""];
    if (action !== undefined) return action(request, mark === -1 ? "" : target.slice(mark + 1));
    const message = `allowed here: ${Object.keys(methods).join(", ")}`;
    return { fault: { code: "method_not_allowed", message } };
  }

  #methods(path: string): Methods | undefined {
    const methods = this.#paths.get(path);
    if (methods !== undefined || !path.startsWith(DRAIN_PREFIX)) return methods;
    const id = decoded(path.slice(DRAIN_PREFIX.length));
    if (id === undefined || id === "") return undefined;
    return {
      DELETE: asked((said) => {
        const read = readForm(NO_QUERY, said);
        return "fault" in read ? read : this.#actions.stopDrain(id);
      }),
    };
  }

  #waitFor(drain: DrainView, response: ServerResponse): void {
    const callOff = this.#waiting.add(drain, (outcome) => this.#reply(response.req, response, outcome));
    response.once("close", callOff);
  }

  #reply(
    request: IncomingMessage,
    response: ServerResponse,
    outcome: { readonly body: object } | { readonly fault: Fault },
  ): void {
    if (response.headersSent || response.destroyed) return;
    const { replica } = this.#options.operations;
    const isFault = "fault" in outcome;
    const body = `${JSON.stringify(isFault ? { replica, error: outcome.fault } : { replica, ...outcome.body })}\n`;
    // What of a body is still to come is of no use to anyone.
    if (!request.complete || this.#isStopping) response.setHeader("connection", "close");
    request.resume();
    response.writeHead(isFault ? statusOf(outcome.fault) : 200, {
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    response.end(body);
  }
}

/** What only asks: all that it says stands in the query. */
function asked(action: (said: object) => Outcome | Promise<Outcome>): NonNullable<Methods[string]> {
  return async (_request, query) => {
    const said = readQuery(query);
    return "fault" in said ? said : action(said.value);
  };
}

/** What changes something: all that it says stands in the body. */
function ordered(action: (said: object) => Outcome): NonNullable<Methods[string]> {
  return async (request, query) => {
    const fault = contentTypeFault(request) ?? queryFault(query);
    if (fault !== undefined) return { fault };
    const said = await readObject(request);
    if (said === undefined) return undefined;
    return "fault" in said ? said : action(said.value);
  };
}

function queryFault(query: string): Fault | undefined {
  const said = readQuery(query);
  const read: Read<object> = "fault" in said ? said : readForm(NO_QUERY, said.value);
  return "fault" in read ? read.fault : undefined;
}

/** Undefined: an escape is broken. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
