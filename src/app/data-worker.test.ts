import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { afterEach, expect, test, vi } from "vitest";
import type { CompiledEntry, CompiledRule, RuleId, UpstreamKey } from "../routing/index.ts";
import { parseCli } from "./cli.ts";
import type { Config } from "./config.ts";
import type { DataWorkerStart, WorkerOrder, WorkerReport } from "./data-worker-messages.ts";
import type { ControlMessage } from "./thread-messages.ts";

const UPSTREAM = "apps/chat:80" as UpstreamKey;
const OWN_PORT = 9090;

const workers: Worker[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.terminate();
});

function configOf(line: string): Config {
  const result = parseCli(line.split(" "), "1.2.3", { out: () => {}, err: () => {} });
  if (result.kind !== "run") throw new Error("refused");
  return result.config;
}

/** A data worker whose main and control thread are the test. */
class Driven {
  readonly worker: Worker;
  readonly heard: WorkerReport[] = [];

  constructor(line: string) {
    const start: DataWorkerStart = {
      thread: 1,
      config: configOf(line),
      pseudonym: "holdfast-test",
      isTerminal: false,
      listeners: [{ address: "0.0.0.0", port: OWN_PORT }],
    };
    this.worker = new Worker(new URL("./data-worker.ts", import.meta.url), { workerData: start });
    workers.push(this.worker);
    this.worker.on("message", (report: WorkerReport) => this.heard.push(report));
  }

  order(order: WorkerOrder): void {
    this.worker.postMessage(order, order.kind === "control" ? [order.port] : []);
  }

  /** The port of a new control thread. */
  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.order({ kind: "control", port: port1 });
    return port2;
  }

  async heardOf<Kind extends WorkerReport["kind"]>(kind: Kind): Promise<Extract<WorkerReport, { kind: Kind }>> {
    const find = () =>
      this.heard.find((report): report is Extract<WorkerReport, { kind: Kind }> => report.kind === kind);
    await vi.waitFor(() => expect(find()).toBeDefined(), 10_000);
    return find()!;
  }
}

/** Any host, one backend at that address and port. */
function tableWith(address: string, port: number): readonly ControlMessage[] {
  const policy = {
    plainHTTP: "Forward",
    handshakeMs: 1_000,
    responseHeadersMs: 1_000,
    requestMs: 1_000,
    idleMs: 0,
    lifetimeMs: 0,
    lifetimeJitterPercent: 0,
  } as const;
  const rule: CompiledRule = {
    id: "apps/chat/main" as RuleId,
    route: "apps/chat",
    rule: "main",
    backends: [{ upstream: UPSTREAM, weight: 1 }],
    rewrite: undefined,
    requestHeaders: undefined,
    responseHeaders: undefined,
    policy,
  };
  const path = { type: "PathPrefix", value: "/" } as const;
  const entry: CompiledEntry = { rule, match: { path, headers: [], queryParams: [], subprotocols: [] } };
  const endpoint = { address, port, podUid: undefined, ready: true, serving: true, terminating: false };
  return [
    { kind: "begin" },
    { kind: "endpoints", updates: [[UPSTREAM, [endpoint]]] },
    { kind: "stage", hosts: [{ pattern: "*", entries: [entry], hasMore: false }] },
    { kind: "commit", generation: 1 },
  ];
}

/** Says one thing after the other. */
async function say(control: MessagePort, messages: readonly ControlMessage[]): Promise<void> {
  for (const message of messages) {
    control.postMessage(message);
    await once(control, "message");
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen({ host: "127.0.0.1", port: 0, reusePort: true });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Says what such a worker answers when the only backend is there. */
async function answerFor(line: string, target: { readonly address: string; readonly port: number }): Promise<string> {
  const driven = new Driven(line);
  const port = await freePort();
  driven.order({ kind: "listen", at: { address: "127.0.0.1", port } });
  const control = driven.connect();
  await say(control, tableWith(target.address, target.port));
  control.close();
  await driven.heardOf("listening");
  return (await fetch(`http://127.0.0.1:${port}/`)).headers.get("holdfast-error") ?? "served";
}

const outside = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ internal, family }) => !internal && family === "IPv4");

test.runIf(process.platform === "linux").for([
  { name: "this machine's own services", source: "serve --source kubernetes", address: "127.0.0.1", port: 1 },
  {
    name: "the process's other listeners",
    source: "serve --source kubernetes",
    address: outside?.address,
    port: OWN_PORT,
  },
])("in a cluster a data worker refuses $name as backends too", async ({ source, address, port }, { skip }) => {
  if (address === undefined) return skip("this machine has loopback alone");
  expect(await answerFor(source, { address, port })).toBe("HF_FORBIDDEN_TARGET");
});

test.runIf(process.platform === "linux")("in front of a folder a data worker takes them", async () => {
  expect(await answerFor("serve --source files --dir .", { address: "127.0.0.1", port: 1 })).toBe("HF_DIAL_REFUSED");
});

test.runIf(process.platform === "linux")(
  "it listens when it has a table and no sooner, and only the last control thread is heard",
  async () => {
    const driven = new Driven("serve --source files --dir .");
    const port = await freePort();
    driven.order({ kind: "listen", at: { address: "127.0.0.1", port } });
    const old = driven.connect();
    await say(old, [{ kind: "begin" }]);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
    expect(driven.heard).toEqual([]);

    const control = driven.connect();
    await say(control, [{ kind: "begin" }]);
    for (const message of tableWith("127.0.0.1", 1)) old.postMessage(message);
    await say(control, [{ kind: "commit", generation: 0 }]);
    await driven.heardOf("listening");
    expect((await fetch(`http://127.0.0.1:${port}/`)).headers.get("holdfast-error")).toBe("HF_NO_ROUTE");
    control.close();
  },
);

test("an address that it cannot have is told in words, and it ends", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const driven = new Driven("serve --source files --dir .");
  const ended = once(driven.worker, "exit");
  driven.order({ kind: "listen", at: { address: "127.0.0.1", port } });
  const control = driven.connect();
  for (const message of tableWith("127.0.0.1", 1)) control.postMessage(message);
  const { text } = await driven.heardOf("cannotListen");
  expect(text).toContain(`cannot listen on 127.0.0.1:${port}: the port is in use`);
  expect(await ended).toEqual([0]);
  taken.close();
});

test("what it said until its end reaches the log, and then it ends by itself", async () => {
  const driven = new Driven("serve --source files --dir .");
  const ended = once(driven.worker, "exit");
  driven.order({ kind: "drain", plan: { graceMs: 0, deadlineMs: 0, spreadMs: 0 } });
  driven.order({ kind: "close" });
  expect(await ended).toEqual([0]);
  const lines = driven.heard.flatMap((report) => (report.kind === "log" ? report.lines : []));
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toContain("shutdown complete");
});

test("what it said until an error that ends it reaches the log too", async () => {
  const driven = new Driven("serve --source files --dir .");
  const failed = once(driven.worker, "error");
  const ended = new Promise((resolve) => driven.worker.once("exit", resolve));
  driven.order({ kind: "drain", plan: { graceMs: 1_000, deadlineMs: 1_000, spreadMs: 0 } });
  // Nothing that a control thread says: the first look at it throws.
  driven.worker.postMessage(null);
  expect(String(await failed)).toContain("TypeError");
  await ended;
  const lines = driven.heard.flatMap((report) => (report.kind === "log" ? report.lines : []));
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(["shutdown begins"]);
});
