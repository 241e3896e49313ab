import { Command, InvalidArgumentError, Option } from "commander";
import { LOG_FORMATS, type LogFormat, LOG_LEVELS, type LogLevel } from "../telemetry/index.ts";
import type { Config, ListenAddress, ProxyTarget, SourceRules } from "./config.ts";
import {
  FlagValueError,
  parseByteQuantity,
  parseDuration,
  parseInteger,
  parseListenAddress,
  parsePositiveDuration,
  parseTarget,
} from "./flag-values.ts";

/** Between the grace and the deadline of the end. In less, all clients would come back in one moment. */
const LEAST_SPREAD_MS = 1_000;

/** A rule has at most 16 backendRefs, and each name is one. */
const MAX_TARGETS = 15;

interface FlagValues<Value> {
  readonly choices?: readonly string[];
  /** Throws a FlagValueError that says what is allowed. `previous`: what a repeated flag gave before. */
  readonly parse?: (text: string, previous: Value | undefined) => Value;
  /** The default, as one would write it. */
  readonly fallback?: string;
}

/** A flag with its environment variable: `--max-head-bytes` is HOLDFAST_MAX_HEAD_BYTES. */
export function flag<Value>(flags: string, description: string, values: FlagValues<Value>): Option {
  const name = /^--([a-z-]+)/.exec(flags)?.[1] ?? "";
  return flagWithoutVariable(flags, description, values).env(`HOLDFAST_${name.toUpperCase().replaceAll("-", "_")}`);
}

/** A flag that is said each time, since it says what is to be done and not how things are. */
export function flagWithoutVariable<Value>(flags: string, description: string, values: FlagValues<Value>): Option {
  const option = new Option(flags, description);
  const { choices, parse, fallback } = values;
  if (choices !== undefined) option.choices(choices);
  if (parse !== undefined) option.argParser(inCommandersWords(parse));
  if (fallback !== undefined) option.default(parse === undefined ? fallback : parse(fallback, undefined), fallback);
  return option;
}

/** The flags that every way to run has. */
export function commonFlags(defaults: { readonly admin: string }): readonly Option[] {
  return [
    flag("--http <address>", "where clients connect", { parse: parseListenAddress, fallback: "127.0.0.1:8020" }),
    flag("--admin <address>", "health and metrics, and operators of this machine; off for none", {
      parse: parseAdmin,
      fallback: defaults.admin,
    }),
    flag("--admin-socket <path>", "a unix socket for the same, which only this user may open (default: none)", {
      parse: parseSocketPath,
    }),
    flag("--log-level <level>", "the least that is logged", { choices: LOG_LEVELS, fallback: "info" }),
    flag("--log-format <format>", "auto: pretty in a terminal, JSON otherwise", {
      choices: LOG_FORMATS,
      fallback: "auto",
    }),
    flag("--header-timeout <duration>", "time for a request's head", { parse: parsePositiveDuration, fallback: "10s" }),
    flag("--max-head-bytes <bytes>", "bound of a request's head", { parse: parseHeadBytes, fallback: "32768" }),
    flag(
      "--buffer-budget <bytes>",
      "memory for what waits in all tunnels for slow sides, such as 256Mi (default: a quarter of the memory limit of the " +
        "container or, without one, of the machine)",
      { parse: parseBudget },
    ),
    flag(
      "--max-tunnels <count>",
      "tunnels at once; above it handshakes are refused (default: as many as the limit of open files allows, two for each)",
      { parse: parseTunnels },
    ),
    flag("--dns-interval <duration>", "names are resolved again so often", {
      parse: parsePositiveDuration,
      fallback: "5s",
    }),
    flag("--shutdown-grace <duration>", "after SIGTERM, go on accepting so long", {
      parse: parseDuration,
      fallback: "15s",
    }),
    flag("--shutdown-deadline <duration>", "after SIGTERM, tunnels are closed from the grace until then, spread", {
      parse: parseDuration,
      fallback: "25s",
    }),
  ];
}

interface CommonValues {
  readonly http: ListenAddress;
  readonly admin: ListenAddress | "off";
  readonly adminSocket?: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly headerTimeout: number;
  readonly maxHeadBytes: number;
  readonly bufferBudget?: number;
  readonly maxTunnels?: number;
  readonly shutdownGrace: number;
  readonly shutdownDeadline: number;
  readonly dnsInterval: number;
}

/** What the common flags of a parsed command say; ends the command when they contradict each other. */
export function commonConfig(command: Command): Omit<Config, "version" | keyof SourceRules> {
  const values = command.opts<CommonValues>();
  const shutdown = {
    graceMs: values.shutdownGrace,
    deadlineMs: values.shutdownDeadline,
  };
  if (shutdown.graceMs + LEAST_SPREAD_MS > shutdown.deadlineMs) {
    command.error(
      `error: --shutdown-grace (${shutdown.graceMs}ms) must be shorter than --shutdown-deadline (${shutdown.deadlineMs}ms) ` +
        `by ${LEAST_SPREAD_MS}ms or more: tunnels are closed in the time between. Make it shorter, or the deadline longer.`,
    );
  }
  return {
    http: values.http,
    admin: values.admin,
    adminSocket: values.adminSocket,
    logLevel: values.logLevel,
    logFormat: values.logFormat,
    headerTimeoutMs: values.headerTimeout,
    maxHeadBytes: values.maxHeadBytes,
    bufferBudgetBytes: values.bufferBudget,
    maxTunnels: values.maxTunnels,
    dnsIntervalMs: values.dnsInterval,
    shutdown,
  };
}

/** A command with these flags and no arguments. */
export function commandWith(name: string, description: string, flags: readonly Option[]): Command {
  const command = new Command(name).description(description).allowExcessArguments(false);
  for (const option of flags) command.addOption(option);
  return command;
}

/** Ends the command. commander's own check of required flags comes first and would hide which flag was misspelt. */
export function missingFlag(command: Command, name: string, allowed: string): never {
  return command.error(`error: ${name} is required. ${allowed}`);
}

/** `--to`, repeated or separated by commas. */
export function parseTargets(text: string, previous: readonly ProxyTarget[] | undefined): readonly ProxyTarget[] {
  const targets = [...(previous ?? []), ...text.split(",").map((part) => parseTarget(part.trim()))];
  if (targets.length > MAX_TARGETS) throw new FlagValueError(`Allowed are up to ${MAX_TARGETS} of them.`);
  return targets;
}

/** The path of a unix socket. */
export function parseSocketPath(text: string): string {
  // sun_path of unix(7), without its end.
  if (text === "" || text.includes("\0") || Buffer.byteLength(text) > 107) {
    throw new FlagValueError("Allowed are paths of up to 107 bytes.");
  }
  return text;
}

/** `--admin`: where to listen, or to ask. */
export function parseAdmin(text: string): ListenAddress | "off" {
  if (text === "off") return "off";
  try {
    return parseListenAddress(text);
  } catch (error) {
    if (error instanceof FlagValueError) throw new FlagValueError(`${error.message} Or off.`);
    throw error;
  }
}

function parseHeadBytes(text: string): number {
  return parseInteger(text, 1024, 1024 * 1024);
}

function parseBudget(text: string): number {
  return parseByteQuantity(text, 2 ** 20, 2 ** 40);
}

function parseTunnels(text: string): number {
  return parseInteger(text, 1, 10_000_000);
}

/** Lets commander say which flag or variable a wrong value came from. */
function inCommandersWords<Value>(parse: (text: string, previous: Value | undefined) => Value) {
  return (text: string, previous: Value | undefined): Value => {
    try {
      return parse(text, previous);
    } catch (error) {
      if (error instanceof FlagValueError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}
