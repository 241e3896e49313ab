import { spawnSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { findProgram } from "./programs.ts";
import { isRunning, type ProcessFact, runningProcesses } from "./process-tree.ts";

/** The program that is measured, by the package that brings it. */
const PACKAGES: Readonly<Record<string, string>> = { "nginx-light": "nginx", haproxy: "haproxy" };
const END_TIMEOUT_MS = 5_000;

/**
 * Installs the packages of those `programs` (nginx, haproxy) that are missing, when this is root on a Debian; does
 * nothing otherwise. A server that a package started is ended again; `say` gets what was done, in words.
 */
export async function installPrograms(programs: readonly string[], say: (words: string) => void): Promise<void> {
  const missing = Object.entries(PACKAGES).filter(([, name]) => programs.includes(name) && !findProgram(name));
  if (missing.length === 0 || process.getuid?.() !== 0 || findProgram("apt-get") === undefined) return;
  const names = missing.map(([debianPackage]) => debianPackage);
  say(`installing ${names.join(", ")} with apt-get (once per machine)`);
  const before = servers();
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["update", "-qq"], { env, stdio: "ignore" });
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], { env, stdio: "ignore" });
  await endNewServers(before, say);
}

/** Ends what runs now and did not before. A service manager may start it again: that is said and left to people. */
async function endNewServers(before: readonly ProcessFact[], say: (words: string) => void): Promise<void> {
  const known = new Set(before.map(({ pid, startedAt }) => `${pid} ${startedAt}`));
  const isNew = ({ pid, startedAt }: ProcessFact): boolean => !known.has(`${pid} ${startedAt}`);
  const started = servers().filter(isNew);
  if (started.length === 0) return;
  for (const server of started) {
    say(`ending ${server.name}, process ${server.pid}, which its package started`);
    if (isRunning(server)) process.kill(server.pid, "SIGTERM");
  }
  const deadline = performance.now() + END_TIMEOUT_MS;
  while (started.some(isRunning) && performance.now() < deadline) await delay(100);
  const left = servers().filter(isNew);
  for (const { name } of left) say(`${name} still runs as a service: end it with systemctl disable --now ${name}`);
}

function servers(): readonly ProcessFact[] {
  const names = new Set(Object.values(PACKAGES));
  return runningProcesses().filter(({ name }) => names.has(name));
}
