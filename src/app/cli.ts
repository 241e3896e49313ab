import { Command, CommanderError } from "commander";
import { commandWith, commonConfig, commonFlags, flag, missingFlag, parseTargets } from "./cli-flags.ts";
import { operatorCommands } from "./cli-operator.ts";
import type { OperatorOrder } from "../operator/index.ts";
import type { Config, ProxyTarget } from "./config.ts";
import { parsePath, TARGET_FORMS } from "./flag-values.ts";
import { FOLDER_RULES, sourceConfig, sourceFlags } from "./source-flags.ts";

/** What a command line means. */
export type CliResult =
  | { readonly kind: "run"; readonly config: Config }
  /** Something that a running Holdfast is asked or told. */
  | { readonly kind: "operate"; readonly order: OperatorOrder }
  /** Everything has been said: help, version, or what was wrong (exit code 2). */
  | { readonly kind: "exit"; readonly exitCode: number };

/** Where the words go. */
export interface CliOutput {
  out(text: string): void;
  err(text: string): void;
}

/** The exit code of a command line that is wrong. */
export const WRONG_USAGE = 2;

type OnConfig = (config: Omit<Config, "version">) => void;

const EXAMPLES = `
Examples:
  holdfast proxy --to 127.0.0.1:8010 --to 127.0.0.1:8011
  holdfast serve --source files --dir ./manifests --http 127.0.0.1:8020 --admin 127.0.0.1:9090
  holdfast serve --source kubernetes --ingress-class holdfast --http :8080 --admin :9090
  holdfast tunnels --route apps/chat --idle-for 10m
  holdfast drain --backend 10.0.0.5:8010 --within 1m --wait
`;

/**
 * Reads the arguments (without node and script) and, for flags that are not given, the environment variables that
 * `--help` names beside them. Never ends the process.
 */
export function parseCli(args: readonly string[], version: string, output: CliOutput): CliResult {
  let result: CliResult = { kind: "exit", exitCode: WRONG_USAGE };
  const onConfig: OnConfig = (parsed) => {
    result = { kind: "run", config: { version, ...parsed } };
  };
  const program = new Command("holdfast")
    .description("An ingress for WebSocket that keeps clients connected while everything behind them changes.")
    .version(`holdfast ${version}`, "--version", "print the version")
    .addHelpText("after", EXAMPLES)
    .addCommand(serveCommand(onConfig))
    .addCommand(proxyCommand(onConfig));
  for (const command of operatorCommands((order) => (result = { kind: "operate", order }))) program.addCommand(command);
  for (const command of [program, ...program.commands]) {
    command
      .helpOption("--help", "print this help")
      .exitOverride()
      .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.err(text) })
      .showHelpAfterError(`(holdfast${command === program ? "" : ` ${command.name()}`} --help lists all flags)`);
  }
  try {
    program.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: "exit", exitCode: error.exitCode === 0 ? 0 : WRONG_USAGE };
  }
  return result;
}

function serveCommand(onConfig: OnConfig): Command {
  const command = commandWith("serve", "Serve the WebSocketRoutes of a source.", [
    ...sourceFlags(),
    ...commonFlags({ admin: "127.0.0.1:9090" }),
  ]);
  return command.action(() => onConfig({ ...commonConfig(command), ...sourceConfig(command) }));
}

function proxyCommand(onConfig: OnConfig): Command {
  const command = commandWith("proxy", "Serve some backends in turn, without any file.", [
    flag("--to <host:port>", "a backend, by address or by name; repeat it or use commas; required", {
      parse: parseTargets,
    }),
    flag("--path <prefix>", "the path prefix that is served", { parse: parsePath, fallback: "/" }),
    flag("--rewrite <prefix>", "what backends see in place of the prefix (default: the same)", { parse: parsePath }),
    ...commonFlags({ admin: "off" }),
  ]);
  return command.action(() => {
    const { to, path, rewrite } = command.opts<{ to?: readonly ProxyTarget[]; path: string; rewrite?: string }>();
    if (to === undefined) return missingFlag(command, "--to", TARGET_FORMS);
    onConfig({ ...commonConfig(command), ...FOLDER_RULES, source: { kind: "proxy", to, path, rewrite } });
  });
}
