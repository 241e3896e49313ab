import type { Command, Option } from "commander";
import type { AdminTarget, ListName, OperatorOrder } from "../operator/index.ts";
import { commandWith, flag, flagWithoutVariable, parseAdmin, parseSocketPath } from "./cli-flags.ts";
import type { ListenAddress } from "./config.ts";
import { parseDuration, parseInteger } from "./flag-values.ts";

type OnOrder = (order: OperatorOrder) => void;

/** A list that is read by people is short; `--limit 0` is for those who count. */
const FEW = "100";
const MOST_PER_SECOND = 1_000_000;

/** The commands that look at a running Holdfast and act on it. */
export function operatorCommands(onOrder: OnOrder): readonly Command[] {
  return [
    listCommand("tunnels", "List the live tunnels of one replica.", [...filterFlags()], onOrder),
    listCommand(
      "backends",
      "List the backends that one replica knows, with their tunnels and drains.",
      [upstreamFlag()],
      onOrder,
    ),
    listCommand("routes", "List the rules that one replica serves.", [routeFlag()], onOrder),
    listCommand("drains", "List the drains that are under way on one replica.", [], onOrder),
    closeCommand(onOrder),
    drainCommand(onOrder),
  ];
}

function listCommand(list: ListName, description: string, filter: readonly Option[], onOrder: OnOrder): Command {
  const limit = flagWithoutVariable("--limit <count>", "show so many, 0 for all", { parse: parseLimit, fallback: FEW });
  const command = commandWith(list, description, [...filter, limit, ...askFlags()]);
  return command.action(() => {
    const { limit: count } = command.opts<{ limit: number }>();
    const query = stringsOf(filterOf(command));
    onOrder({ ...askedOf(command), what: { kind: "list", list, query, limit: count } });
  });
}

function closeCommand(onOrder: OnOrder): Command {
  const command = commandWith("close", "Close tunnels of one replica, by a filter; clients are told to come back.", [
    ...filterFlags(),
    flagWithoutVariable("--all", "every tunnel of the replica", {}),
    ...orderFlags("the last one is closed by then (default: 100 tunnels a second)"),
    ...askFlags(),
  ]);
  return command.action(() => {
    const { all, wait } = command.opts<{ all?: true; wait?: true }>();
    const filter = filterOf(command);
    const hasFilter = Object.keys(filter).length > 0;
    if (!hasFilter && all !== true) command.error("error: say which tunnels, by one filter or more, or --all.");
    if (hasFilter && all === true) command.error("error: --all means every tunnel: leave it out, or the filter.");
    const body = { ...filter, ...(all === true && { all }), ...ordersOf(command) };
    onOrder({ ...askedOf(command), what: { kind: "drain", path: "/v1/tunnels/close", body, wait: wait === true } });
  });
}

function drainCommand(onOrder: OnOrder): Command {
  const command = commandWith(
    "drain",
    "Take a backend, or the whole replica, out of service: no new tunnels, and those that are there are closed, spread over time. " +
      "Again with other values: slower, or faster.",
    [
      flagWithoutVariable("--backend <address:port>", "only this backend (default: the whole replica)", {}),
      ...orderFlags("the last one is closed by then (default: 25s, or --shutdown-deadline of the replica)"),
      flagWithoutVariable(
        "--grace <duration>",
        "the whole replica accepts new tunnels so long (default: its --shutdown-grace, at most half of --within)",
        { parse: checkedDuration },
      ),
      flagWithoutVariable("--stop [id]", "stop the drain that the other flags name, or the one of that id", {}),
      ...askFlags(),
    ],
  );
  return command.action(() => {
    const { backend, grace, wait, stop } = command.opts<DrainValues>();
    const orders = { ...ordersOf(command), ...(grace !== undefined && { grace }) };
    if (stop !== undefined) {
      if (wait === true || Object.keys(orders).length > 0) command.error("error: --stop goes with --backend only.");
      const id = stop === true ? (backend === undefined ? "process" : `backend/${backend}`) : stop;
      return onOrder({ ...askedOf(command), what: { kind: "stop", id } });
    }
    const body = { ...(backend !== undefined && { backend }), ...orders };
    onOrder({ ...askedOf(command), what: { kind: "drain", path: "/v1/drains", body, wait: wait === true } });
  });
}

interface DrainValues {
  readonly backend?: string;
  readonly grace?: string;
  readonly wait?: true;
  readonly stop?: true | string;
}

function routeFlag(): Option {
  return flagWithoutVariable("--route <namespace/name>", "of this WebSocketRoute", {});
}

function upstreamFlag(): Option {
  return flagWithoutVariable("--upstream <namespace/service:port>", "of this port of a Service", {});
}

/** What picks tunnels. All of them must hold; the replica checks what they say. */
function filterFlags(): readonly Option[] {
  return [
    routeFlag(),
    flagWithoutVariable("--rule <name>", "of the rule of that name, or index", {}),
    upstreamFlag(),
    flagWithoutVariable("--backend <address:port>", "on this backend", {}),
    flagWithoutVariable("--client <address>", "of this client, or of a range such as 10.0.0.0/8", {}),
    flagWithoutVariable("--id <id>", "of this id", {}),
    flagWithoutVariable("--older-than <duration>", "open for so long or longer", { parse: checkedDuration }),
    flagWithoutVariable("--idle-for <duration>", "without a byte from either side for so long or longer", {
      parse: checkedDuration,
    }),
  ];
}

/** How fast, and with which words. */
function orderFlags(within: string): readonly Option[] {
  return [
    flagWithoutVariable("--within <duration>", within, { parse: checkedDuration }),
    flagWithoutVariable("--per-second <count>", "at most so many a second, 0 for no limit", {
      parse: (text) => parseInteger(text, 0, MOST_PER_SECOND),
    }),
    flagWithoutVariable("--code <code>", "what clients are closed with (default: 1012, come back)", {
      parse: (text) => parseInteger(text, 1000, 4999),
    }),
    flagWithoutVariable("--reason <text>", "stands beside the code, printable ASCII", {}),
    flagWithoutVariable("--wait", "return when it is over; exit code 3 when the time is up and tunnels are left", {}),
  ];
}

/** Whom to ask, and how to show what it says. */
function askFlags(): readonly Option[] {
  return [
    flag("--admin <address>", "the replica's admin port, on this machine", {
      parse: parseAdmin,
      fallback: "127.0.0.1:9090",
    }),
    flag("--admin-socket <path>", "its unix socket, in place of the port", { parse: parseSocketPath }),
    flagWithoutVariable("-o, --output <format>", "as a table, or as the replica says it", {
      choices: ["table", "json"],
      fallback: "table",
    }),
  ];
}

interface AskValues {
  readonly admin: ListenAddress | "off";
  readonly adminSocket?: string;
  readonly output: "table" | "json";
}

/** Of two places the one that the command line names is stronger than the one that a variable names. */
function askedOf(command: Command): Omit<OperatorOrder, "what"> {
  const { admin, adminSocket, output } = command.opts<AskValues>();
  const isSaid = (name: string): boolean => command.getOptionValueSource(name) === "cli";
  if (isSaid("admin") && isSaid("adminSocket")) command.error("error: give --admin or --admin-socket, not both.");
  if (adminSocket !== undefined && !isSaid("admin")) return { at: { kind: "socket", path: adminSocket }, output };
  if (admin !== "off") return { at: portOf(admin), output };
  return command.error("error: the admin port is off. Say with --admin-socket or --admin where operators are served.");
}

/** Where one listens on every address, one asks on loopback. */
function portOf({ host, port }: ListenAddress): AdminTarget {
  const isEvery = host === undefined || host === "0.0.0.0" || host === "::";
  return { kind: "tcp", host: isEvery ? "127.0.0.1" : host, port };
}

const FILTER_FIELDS = ["route", "rule", "upstream", "backend", "client", "id", "olderThan", "idleFor"] as const;
const ORDER_FIELDS = ["within", "perSecond", "code", "reason"] as const;

function filterOf(command: Command): Readonly<Record<string, unknown>> {
  return given(command, FILTER_FIELDS);
}

function ordersOf(command: Command): Readonly<Record<string, unknown>> {
  return given(command, ORDER_FIELDS);
}

function given(command: Command, fields: readonly string[]): Readonly<Record<string, unknown>> {
  const values = command.opts<Record<string, unknown>>();
  return Object.fromEntries(
    fields.filter((field) => values[field] !== undefined).map((field) => [field, values[field]]),
  );
}

function stringsOf(values: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

/** Passed on as it was written. */
function checkedDuration(text: string): string {
  parseDuration(text);
  return text;
}

function parseLimit(text: string): number {
  return parseInteger(text, 0, 1_000_000_000);
}
