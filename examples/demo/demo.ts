/**
 * The demo: two echo backends and Holdfast in files mode in front of them, each a process of its own. Prints what to
 * try and ends everything on Ctrl-C. Needs a built dist; `npm run demo` builds it first.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const HOST = "127.0.0.1";
const DEFAULT_BACKENDS = [8010, 8011] as const;
const MANIFESTS = fileURLToPath(new URL("./manifests", import.meta.url));
const ENDPOINTS_FILE = "chat-endpoints.yaml";
const HOLDFAST = fileURLToPath(new URL("../../dist/app/main.js", import.meta.url));
const READY_TIMEOUT_MS = 15_000;
const END_TIMEOUT_MS = 6_000;

interface Port {
  readonly variable: string;
  readonly port: number;
}

function portFrom(variable: string, fallback: number): Port {
  const text = process.env[variable] ?? String(fallback);
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port < 1 || port > 65_535) {
    throw new Error(`${variable}=${text} is not a port. Allowed are whole numbers from 1 to 65535.`);
  }
  return { variable, port };
}

async function demandFree({ variable, port }: Port): Promise<void> {
  const probe = createServer();
  probe.listen(port, HOST);
  try {
    await once(probe, "listening");
  } catch (error) {
    throw new Error(`Port ${port} cannot be had (${String(error)}). Take another one: ${variable}=<port> npm run demo`);
  }
  probe.close();
  await once(probe, "close");
}

/** The folder that is served: the one in the repository, or, with other ports, a copy that names them. */
async function manifestsFor(backends: readonly Port[]): Promise<{ folder: string; isCopy: boolean }> {
  if (backends.every(({ port }, i) => port === DEFAULT_BACKENDS[i])) return { folder: MANIFESTS, isCopy: false };
  const folder = await mkdtemp(join(tmpdir(), "holdfast-demo-"));
  await cp(MANIFESTS, folder, { recursive: true });
  const file = join(folder, ENDPOINTS_FILE);
  const text = await readFile(file, "utf8");
  const ports = new Map(backends.map(({ port }, i) => [String(DEFAULT_BACKENDS[i]), String(port)]));
  await writeFile(
    file,
    text.replace(/port: (\d+)/g, (all, port: string) => `port: ${ports.get(port) ?? all}`),
  );
  return { folder, isCopy: true };
}

/** In a process group of its own: Ctrl-C reaches this process only, which then ends the others in order. */
function startBackend({ port }: Port): ChildProcess {
  return fork(fileURLToPath(new URL("./backend.ts", import.meta.url)), [String(port)], { detached: true });
}

function startHoldfast(folder: string, http: Port, admin: Port): ChildProcess {
  const listeners = ["--http", `${HOST}:${http.port}`, "--admin", `${HOST}:${admin.port}`];
  const args = [HOLDFAST, "serve", "--source", "files", "--dir", folder, ...listeners];
  return spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"], detached: true });
}

async function untilReady(admin: Port, ended: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!ended.aborted) {
    const response = await fetch(`http://${HOST}:${admin.port}/readyz`).catch(() => undefined);
    if (response?.status === 200) return;
    if (Date.now() > deadline) throw new Error("Holdfast did not become ready.");
    await sleep(50);
  }
}

async function end(children: readonly ChildProcess[]): Promise<void> {
  const alive = children.filter((child) => child.exitCode === null && child.signalCode === null);
  if (alive.length === 0) return;
  const ended = Promise.all(alive.map((child) => once(child, "exit")));
  for (const child of alive) child.kill("SIGINT");
  const tooLong = setTimeout(() => alive.forEach((child) => child.kill("SIGKILL")), END_TIMEOUT_MS);
  await ended;
  clearTimeout(tooLong);
}

function whatToTry(http: Port, admin: Port, folder: string): string {
  const at = `${HOST}:${http.port}`;
  return `
Holdfast is ready. Try:

  npx wscat --connect ws://${at}/wsapp/       type a line; it comes back
  http://${at}/                               the chat page, in a browser
  http://${HOST}:${admin.port}/metrics                        what is counted

Then edit ${join(relative(process.cwd(), folder), ENDPOINTS_FILE)}
(say ready: false under one backend, or delete it) and connect again: new connections
follow at once, and the open ones stay open.

Ctrl-C ends the demo.
`;
}

async function main(): Promise<void> {
  const backends = [portFrom("DEMO_BACKEND_1", DEFAULT_BACKENDS[0]), portFrom("DEMO_BACKEND_2", DEFAULT_BACKENDS[1])];
  const http = portFrom("DEMO_HTTP", 8020);
  const admin = portFrom("DEMO_ADMIN", 9090);
  if (!existsSync(HOLDFAST))
    throw new Error("Holdfast is not built yet: use npm run demo, or run npm run build first.");
  for (const port of [...backends, http, admin]) await demandFree(port);

  const { folder, isCopy } = await manifestsFor(backends);
  const asked = Promise.withResolvers<void>();
  const over = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => asked.resolve());
  const children = backends.map(startBackend);
  try {
    await Promise.all(children.map((child) => once(child, "message")));
    children.push(startHoldfast(folder, http, admin));
    for (const child of children) {
      child.once("exit", (code) =>
        asked.reject(new Error(`A process of the demo ended by itself (exit code ${code}).`)),
      );
    }
    const ready = untilReady(admin, over.signal).then(() => console.log(whatToTry(http, admin, folder)));
    await Promise.race([asked.promise, Promise.all([ready, asked.promise])]);
  } finally {
    over.abort();
    for (const child of children) child.removeAllListeners("exit");
    // Holdfast first, while the backends can still answer its Close frames.
    await end(children.slice(backends.length));
    await end(children);
    if (isCopy) await rm(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
process.exit();
