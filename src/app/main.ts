import { readFileSync, statSync } from "node:fs";
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

/** A folder that is not there at the start is a mistyped one; later it may come and go. */
function sourceFault(source: SourceConfig): string | undefined {
  if (source.kind !== "files") return undefined;
  try {
    return statSync(source.dir).isDirectory() ? undefined : `--dir ${source.dir} is not a folder.`;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return `--dir ${source.dir} ${isMissing ? "does not exist" : `cannot be read (${String(error)})`}.`;
  }
}

function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}

process.exit(await main());
