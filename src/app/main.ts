import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseCli, WRONG_USAGE } from "./cli.ts";
import type { SourceConfig } from "./config.ts";
import { ListenError } from "./listen.ts";
import { runHoldfast } from "./run.ts";

/** The entry of the process: `holdfast …`. */
async function main(): Promise<number> {
  const result = parseCli(process.argv.slice(2), readVersion(), {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  });
  if (result.kind === "exit") return result.exitCode;
  const fault = sourceFault(result.config.source);
  if (fault !== undefined) {
    process.stderr.write(`error: ${fault}\n`);
    return WRONG_USAGE;
  }
  try {
    await runHoldfast(result.config);
    return 0;
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    return 1;
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
