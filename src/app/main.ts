import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { AffinityKeyError } from "./affinity-keys.ts";
import { type CliOutput, parseCli, WRONG_USAGE } from "./cli.ts";
import type { SourceConfig } from "./config.ts";
import { ListenError } from "./listen.ts";
import { operate } from "../operator/index.ts";

/** How often an operator who waits hears how far a drain is. */
const PROGRESS_MS = 1_000;

/** The entry of the process: `holdfast …`. */
async function main(): Promise<number> {
  const output: CliOutput = {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  };
  const result = parseCli(process.argv.slice(2), readVersion(), output);
  if (result.kind === "exit") return result.exitCode;
  if (result.kind === "operate") {
    // `holdfast tunnels | head` has read enough.
    process.stdout.on("error", () => process.exit(0));
    return operate(result.order, { output, progressMs: PROGRESS_MS });
  }
  const fault = sourceFault(result.config.source);
  if (fault !== undefined) {
    process.stderr.write(`error: ${fault}\n`);
    return WRONG_USAGE;
  }
  // An operator's command needs none of it, and a hundred milliseconds less.
  const { runHoldfast } = await import("./run.ts");
  try {
    await runHoldfast(result.config);
    return 0;
  } catch (error) {
    if (!(error instanceof ListenError || error instanceof AffinityKeyError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    return error instanceof AffinityKeyError ? WRONG_USAGE : 1;
  }
}

/** What is missing now and was mistyped, most likely; later it may come and go. */
function sourceFault(source: SourceConfig): string | undefined {
  switch (source.kind) {
    case "files":
      return folderFault(source.dir);
    case "kubernetes":
      return credentialsFault(source.kubeconfig, process.env);
    case "proxy":
      return undefined;
  }
}

function folderFault(dir: string): string | undefined {
  try {
    return statSync(dir).isDirectory() ? undefined : `--dir ${dir} is not a folder.`;
  } catch (error) {
    return `--dir ${dir} ${isMissing(error) ? "does not exist" : `cannot be read (${String(error)})`}.`;
  }
}

function credentialsFault(kubeconfig: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (kubeconfig !== undefined) {
    return existsSync(kubeconfig) ? undefined : `--kubeconfig ${kubeconfig} does not exist.`;
  }
  const isGiven = Boolean(env["KUBECONFIG"]) || Boolean(env["KUBERNETES_SERVICE_HOST"]);
  if (isGiven || existsSync(join(homedir(), ".kube/config"))) return undefined;
  return "there is no cluster: not in a Pod, and neither --kubeconfig, nor KUBECONFIG, nor ~/.kube/config.";
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}

process.exit(await main());
