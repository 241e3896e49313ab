import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ask } from "./admin.fixture.ts";
import { AdminServer } from "./admin-server.ts";
import { MemoryOperations } from "./operations.fixture.ts";
import { SocketFileError } from "./socket-file.ts";

let folder: string;
let path: string;
const servers: AdminServer[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-socket-"));
  path = join(folder, "admin.sock");
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  rmSync(folder, { recursive: true });
});

function admin(): AdminServer {
  const server = new AdminServer({
    isReady: () => true,
    metrics: () => Promise.resolve(""),
    metricsContentType: "text/plain",
    onError: () => {},
    operator: { operations: new MemoryOperations(), defaults: { graceMs: 0, withinMs: 1_000 } },
  });
  servers.push(server);
  return server;
}

function status(): Promise<number> {
  return ask({ socketPath: path, path: "/v1/tunnels" }, {}).then((answer) => answer.status);
}

/** A socket as a process leaves it that had no time to take it away. */
async function leaveBehind(): Promise<void> {
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", script]), "exit");
  expect(lstatSync(path).isSocket()).toBe(true);
}

test("only this user may open the socket, whatever the process allows others, and stopping takes it away", async () => {
  const usual = process.umask(0);
  try {
    const server = admin();
    await server.listenOnSocket(path);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(process.umask()).toBe(0);
    expect(await status()).toBe(200);
    await server.stop();
    expect(existsSync(path)).toBe(false);
  } finally {
    process.umask(usual);
  }
});

test("a socket that a dead process left is replaced", async () => {
  await leaveBehind();
  await admin().listenOnSocket(path);
  expect(await status()).toBe(200);
});

test("a socket that a living process answers on is left to it", async () => {
  await admin().listenOnSocket(path);
  await expect(admin().listenOnSocket(path)).rejects.toThrow(new SocketFileError("a living process listens on it"));
  expect(await status()).toBe(200);
});

test("so is one whose process speaks no HTTP", async () => {
  const other = createServer().listen(path);
  await once(other, "listening");
  await expect(admin().listenOnSocket(path)).rejects.toThrow("a living process listens on it");
  other.close();
});

test.for([
  { name: "a file", make: () => writeFileSync(path, "precious"), says: "something is there that is no socket" },
  { name: "a folder", make: () => mkdirSync(path), says: "something is there that is no socket" },
])("$name in its place is left alone", async ({ make, says }) => {
  make();
  await expect(admin().listenOnSocket(path)).rejects.toThrow(new SocketFileError(says));
  expect(existsSync(path)).toBe(true);
});

test.for([
  { name: "a folder that is not there", at: () => join(folder, "no", "admin.sock"), says: "its folder does not exist" },
  { name: "a path that is too long", at: () => join(folder, "x".repeat(120)), says: /longer than the 107 bytes/ },
])("$name is said in words", async ({ at, says }) => {
  const failure = admin().listenOnSocket(at());
  await expect(failure).rejects.toThrow(SocketFileError);
  await expect(failure).rejects.toThrow(says);
});
