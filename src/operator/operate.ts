import { type AdminAnswer, askAdmin, strangerAt, Unreachable } from "./admin-client.ts";
import { DRAIN_ANSWER, type DrainAnswer, type DrainRow, ERROR_ANSWER } from "./answers.ts";
import { type DrainSaying, sayBegun, sayOver, sayStopped } from "./drain-words.ts";
import { DONE, FAILED, WRONG_USAGE } from "./exit-codes.ts";
import { fetchList } from "./fetch-list.ts";
import { counted } from "./figures.ts";
import { listTable } from "./list-table.ts";
import { withProgress } from "./progress.ts";
import { printable } from "./table.ts";
import type { DrainOrder, ListName, ListOrder, OperatorOrder, OperatorOutput } from "./types.ts";

export interface OperateOptions {
  readonly output: OperatorOutput;
  /** How often it is looked how far a drain is that is waited for, in milliseconds. */
  readonly progressMs: number;
}

/** What the items of a list are called. */
const NOUNS: Readonly<Record<ListName, string>> = {
  tunnels: "tunnel",
  backends: "backend",
  routes: "rule",
  drains: "drain",
};

/** Does what the command line says; the exit code. Whatever goes wrong on the way is said in words. */
export async function operate(order: OperatorOrder, options: OperateOptions): Promise<number> {
  try {
    return await new Operator(order, options).run();
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    options.output.err(`error: ${printable(error.message)}\n`);
    return FAILED;
  }
}

class Operator {
  readonly #order: OperatorOrder;
  readonly #options: OperateOptions;

  constructor(order: OperatorOrder, options: OperateOptions) {
    this.#order = order;
    this.#options = options;
  }

  run(): Promise<number> {
    const { what } = this.#order;
    switch (what.kind) {
      case "list":
        return this.#list(what);
      case "drain":
        return what.wait ? this.#drainAndWait(what) : this.#drain(what);
      case "stop":
        return this.#stop(what.id);
    }
  }

  async #list(order: ListOrder): Promise<number> {
    const list = await fetchList(this.#order.at, order);
    if ("status" in list) return this.#failed(list);
    if (this.#order.output === "json") return this.#json(list);
    const { items, total, next, replica } = list;
    const table = listTable(order.list, items);
    if (table === undefined) throw new Unreachable(strangerAt(this.#order.at, 200));
    this.#options.output.out(table);
    const part = next === undefined ? "" : `, the first ${items.length} of them shown (--limit 0 shows all)`;
    this.#say(`replica ${replica}: ${counted(total, NOUNS[order.list])}${part}`);
    return DONE;
  }

  async #drain({ path, body }: DrainOrder): Promise<number> {
    return this.#show(await askAdmin(this.#order.at, { method: "POST", path, body }), sayBegun);
  }

  async #drainAndWait({ path, body }: DrainOrder): Promise<number> {
    const { at } = this.#order;
    // The order's answer, which would name the drain, comes at its end; the closing that began last is most likely ours.
    const named = typeof body["backend"] === "string" ? `backend/${body["backend"]}` : "process";
    const isClosing = path === "/v1/tunnels/close";
    const isIt = ({ id }: DrainRow): boolean => (isClosing ? id.startsWith("close/") : id === named);
    const order = { ...body, wait: true };
    const answer = askAdmin(at, { method: "POST", path, body: order, isPatient: true });
    const progress = { at, isIt, everyMs: this.#options.progressMs, say: (line: string) => this.#say(line) };
    return this.#show(await withProgress(answer, progress), sayOver);
  }

  async #stop(id: string): Promise<number> {
    const path = `/v1/drains/${encodeURIComponent(id)}`;
    return this.#show(await askAdmin(this.#order.at, { method: "DELETE", path }), sayStopped);
  }

  #show(answer: AdminAnswer, saying: (drain: DrainAnswer) => DrainSaying): number {
    const drain = DRAIN_ANSWER.safeParse(answer.body);
    if (answer.status !== 200 || !drain.success) return this.#failed(answer);
    const { words, exitCode } = saying(drain.data);
    if (this.#order.output === "json") this.#json(answer.body);
    else this.#options.output.out(`replica ${printable(drain.data.replica)}: ${printable(words)}\n`);
    return exitCode;
  }

  #json(answer: unknown): number {
    this.#options.output.out(`${JSON.stringify(answer, null, 2)}\n`);
    return DONE;
  }

  /** 400 = a value is wrong that the command line passed on. */
  #failed({ status, body }: AdminAnswer): number {
    const answer = ERROR_ANSWER.safeParse(body);
    if (!answer.success) throw new Unreachable(strangerAt(this.#order.at, status));
    this.#options.output.err(`error: ${printable(answer.data.error.message)}\n`);
    return status === 400 ? WRONG_USAGE : FAILED;
  }

  #say(line: string): void {
    this.#options.output.err(`${printable(line)}\n`);
  }
}
