import { Command, CommanderError } from "commander";
import { commonConfig, commonFlags, flag, missingFlag, parseFolder, parseTargets } from "./cli-flags.ts";
import type { Config, ProxyTarget } from "./config.ts";
import { parseClassName, parsePath, TARGET_FORMS } from "./flag-values.ts";

/** What a command line means. */
export type CliResult =
  | { readonly kind: "run"; readonly config: Config }
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
`;

/**
 * Reads the arguments (without node and script) and, for flags that are not given, the environment variables that
 * `--help` names beside them. Never ends the process.
 */
export function parseCli(args: readonly string[], version: string, output: CliOutput): CliResult {
  let config: Config | undefined;
  const onConfig: OnConfig = (parsed) => {
    config = { version, ...parsed };
  };
  const program = new Command("holdfast")
    .description("An ingress for WebSocket that keeps clients connected while everything behind them changes.")
    .version(`holdfast ${version}`, "--version", "print the version")
    .addHelpText("after", EXAMPLES)
    .addCommand(serveCommand(onConfig))
    .addCommand(proxyCommand(onConfig));
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
  return config === undefined ? { kind: "exit", exitCode: WRONG_USAGE } : { kind: "run", config };
}

function serveCommand(onConfig: OnConfig): Command {
  const command = commandWith("serve", "Serve the WebSocketRoutes of a source.", [
    flag("--source <kind>", "where routes and endpoints come from; required", { choices: ["files"] }),
    flag("--dir <folder>", "source files: the folder of YAML or JSON manifests, watched; required", {
      parse: parseFolder,
    }),
    flag("--ingress-class <name>", "serve routes of this ingressClassName, and those that name none", {
      parse: parseClassName,
      fallback: "holdfast",
    }),
    ...commonFlags({ admin: "127.0.0.1:9090" }),
  ]);
  return command.action(() => {
    const { source, dir, ingressClass } = command.opts<{ source?: "files"; dir?: string; ingressClass: string }>();
    if (source === undefined) return missingFlag(command, "--source", "Allowed is files.");
    if (dir === undefined) return missingFlag(command, "--dir", "Allowed is the path of a folder.");
    onConfig({ ...commonConfig(command), source: { kind: source, dir }, ingressClass });
  });
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
    onConfig({ ...commonConfig(command), source: { kind: "proxy", to, path, rewrite }, ingressClass: "holdfast" });
  });
}

function commandWith(name: string, description: string, flags: readonly ReturnType<typeof flag>[]): Command {
  const command = new Command(name).description(description).allowExcessArguments(false);
  for (const option of flags) command.addOption(option);
  return command;
}
