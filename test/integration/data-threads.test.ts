import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { HoldfastProcess, serveFolder } from "./fixtures/holdfast.ts";
import { endpointSlices, ManifestFolder, route, service } from "./fixtures/manifests.ts";
import { NumberedBackend } from "./fixtures/numbered-backend.ts";
import { landing, NumberedClient } from "./fixtures/numbered-client.ts";
import { exchange } from "./fixtures/raw.ts";
import { scrape, valueOf } from "./fixtures/scrape.ts";

const HOST = "chat.example.com";
const PLANT = join(import.meta.dirname, "fixtures/plant-thread-fault.mjs");
const THREADS = [0, 1, 2];
const FLAGS = ["--data-threads", "3", "--shutdown-grace", "0s", "--shutdown-deadline", "2s", "--shutdown-spread", "1s"];
const RULE = 'route="apps/chat",rule="main"';
const SLOW = { timeout: 20_000 };

let blue: NumberedBackend[];
let green: NumberedBackend[];
beforeAll(async () => {
  blue = await Promise.all([NumberedBackend.start("blue-0"), NumberedBackend.start("blue-1")]);
  green = [await NumberedBackend.start("green-0")];
});
afterAll(async () => {
  for (const backend of [...blue, ...green]) await backend[Symbol.asyncDispose]();
});

class World implements AsyncDisposable {
  readonly folder: ManifestFolder;
  readonly faults: string;
  readonly holdfast: HoldfastProcess;
  readonly http: string;
  readonly admin: string;

  private constructor(folder: ManifestFolder, faults: string, started: Awaited<ReturnType<typeof serveFolder>>) {
    this.folder = folder;
    this.faults = faults;
    this.holdfast = started.holdfast;
    this.http = started.http;
    this.admin = started.admin;
  }

  static async start(): Promise<World> {
    const folder = await ManifestFolder.create({
      "services.yaml": [service("blue", 80), service("green", 80)],
      "slices.yaml": endpointSlices("blue", blue),
      "green.yaml": endpointSlices("green", green),
      "route.yaml": [route("chat").host(HOST).to("blue", 80).manifest()],
    });
    const faults = await mkdtemp(join(tmpdir(), "holdfast-faults-"));
    const env = { NODE_OPTIONS: `--import ${PLANT}`, PLANT_FAULTS: faults };
    return new World(folder, faults, await serveFolder(folder.path, { args: FLAGS, env }));
  }

  get url(): string {
    return `ws://${this.http}/`;
  }

  async clients(count: number): Promise<NumberedClient[]> {
    return Promise.all(Array.from({ length: count }, () => NumberedClient.open(this.url, HOST)));
  }

  /** Where so many new handshakes land, each by a connection of its own. */
  async landings(count = 60): Promise<Set<string>> {
    return new Set(await Promise.all(Array.from({ length: count }, () => landing(this.url, HOST))));
  }

  /** Tunnels by thread; undefined = the thread does not serve. */
  async tunnelsByThread(): Promise<(number | undefined)[]> {
    const text = await scrape(this.admin);
    return THREADS.map((thread) => valueOf(text, `holdfast_data_thread_open_tunnels{thread="${thread}"}`));
  }

  async plant(fault: string): Promise<void> {
    await writeFile(join(this.faults, fault), "");
  }

  /** How many tables were said to be live. */
  get tables(): number {
    return this.holdfast.log.filter(({ msg }) => msg === "table is live").length;
  }

  async writeRoute(serviceName: string): Promise<void> {
    await this.folder.write("route.yaml", [route("chat").host(HOST).to(serviceName, 80).manifest()]);
  }

  /** Changes the table, and answers when Holdfast says that it is live. */
  async routeTo(serviceName: string): Promise<void> {
    const before = this.tables;
    await this.writeRoute(serviceName);
    await expect.poll(() => this.tables, { ...SLOW, interval: 1 }).toBe(before + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holdfast[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
    await rm(this.faults, { recursive: true, force: true });
  }
}

function sum(counts: readonly (number | undefined)[]): number {
  return counts.reduce<number>((total, count) => total + (count ?? 0), 0);
}

async function closes(clients: readonly NumberedClient[]): Promise<(string | undefined)[]> {
  return (await Promise.all(clients.map((client) => client.finish()))).map(({ closed }) => closed);
}

async function readiness(admin: string): Promise<string | undefined> {
  return (await exchange(admin, "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).split(" ")[1];
}

describe("with three data threads", () => {
  test("tunnels spread over all of them, and /metrics counts them as one process", async () => {
    await using world = await World.start();
    const clients = await world.clients(60);
    const text = await scrape(world.admin);
    expect(valueOf(text, `holdfast_open_tunnels{${RULE}}`)).toBe(60);
    expect(valueOf(text, `holdfast_tunnels_opened_total{${RULE}}`)).toBe(60);
    expect(valueOf(text, "holdfast_handshake_duration_seconds_count")).toBe(60);
    expect(valueOf(text, 'holdfast_upstream_open_tunnels{upstream="apps/blue:80"}')).toBe(60);
    expect(valueOf(text, 'holdfast_upstream_backends{upstream="apps/blue:80",state="ready"}')).toBe(2);
    const spread = await world.tunnelsByThread();
    expect(sum(spread)).toBe(60);
    for (const tunnels of spread) expect(tunnels).toBeGreaterThan(5);
    const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(new Set(families).size).toBe(families.length);
    expect(families).toContain("process_start_time_seconds");

    expect(await closes(clients)).toEqual(clients.map(() => undefined));
    await expect.poll(async () => valueOf(await scrape(world.admin), `holdfast_open_tunnels{${RULE}}`)).toBe(0);
    expect(valueOf(await scrape(world.admin), "holdfast_tunnel_duration_seconds_count")).toBe(60);
  });

  test("a new table is live on all of them when it is said to be, new endpoints reach all, and no tunnel closes", async () => {
    await using world = await World.start();
    const clients = await world.clients(60);
    await world.routeTo("green");
    expect(await world.landings()).toEqual(new Set(["green-0"]));
    await world.routeTo("blue");
    expect(await world.landings()).toEqual(new Set(["blue-0", "blue-1"]));
    await world.folder.write("slices.yaml", endpointSlices("blue", [blue[1]!]));
    await expect.poll(() => world.landings(), SLOW).toEqual(new Set(["blue-1"]));
    const reports = await Promise.all(clients.map((client) => client.finish()));
    expect(reports.filter(({ closed, faults }) => closed !== undefined || faults.length > 0)).toEqual([]);
  });

  test("after SIGTERM every tunnel is closed with 1012, each end is one whole line, and the exit code is 0", async () => {
    await using world = await World.start();
    const clients = await world.clients(60);
    await expect.poll(async () => sum(await world.tunnelsByThread())).toBe(60);
    world.holdfast.process.kill("SIGTERM");
    expect(await world.holdfast.exit()).toEqual({ code: 0, signal: null });
    expect(new Set(await closes(clients))).toEqual(new Set(["1012 "]));
    const { log } = world.holdfast;
    expect(log.filter((line) => !("level" in line && "time" in line))).toEqual([]);
    const ends = log.filter(({ msg }) => msg === "tunnel ended");
    expect(ends.map(({ cause }) => cause)).toEqual(Array.from({ length: 60 }, () => "proxy_shutdown"));
    expect(new Set(ends.map(({ thread }) => thread))).toEqual(new Set(THREADS));
    expect(new Set(ends.map(({ tunnelId }) => tunnelId)).size).toBe(60);
  });

  test("a second SIGTERM cuts on all of them", async () => {
    await using world = await World.start();
    const sockets = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const socket = new WebSocket(world.url, { headers: { host: HOST } });
        await once(socket, "open");
        return socket;
      }),
    );
    const closed = Promise.all(sockets.map((socket) => once(socket, "close")));
    world.holdfast.process.kill("SIGTERM");
    const stopped = (): number => world.holdfast.log.filter(({ msg }) => msg === "stopped listening").length;
    await expect.poll(stopped, { interval: 1 }).toBe(3);
    world.holdfast.process.kill("SIGTERM");
    expect(await world.holdfast.exit()).toEqual({ code: 0, signal: null });
    expect(new Set((await closed).map(([code]) => code as number))).toEqual(new Set([1006]));
    expect(world.holdfast.log.filter(({ msg }) => msg === "shutdown cuts what is left")).toHaveLength(3);
  });

  test("one that crashes costs its own tunnels, is replaced, and no count goes down", async () => {
    await using world = await World.start();
    const clients = await world.clients(60);
    const before = await world.tunnelsByThread();
    await world.plant("data-1.throw");
    const failed = await world.holdfast.line(({ msg }) => msg === "a data thread failed");
    expect(JSON.stringify(failed)).toContain("planted in data-1");
    expect(failed).toMatchObject({ thread: 1, level: "error" });
    await expect.poll(() => clients.filter((client) => client.isClosed).length).toBe(before[1]);
    expect(await readiness(world.admin)).toBe("200");
    await expect.poll(() => world.landings(), SLOW).toEqual(new Set(["blue-0", "blue-1"]));
    const listens = (): number =>
      world.holdfast.log.filter(({ msg, thread }) => msg === "a data thread listens" && thread === 1).length;
    await expect.poll(listens, SLOW).toBe(2);
    await expect.poll(() => world.tables, SLOW).toBe(2);

    await world.routeTo("green");
    expect(await world.landings()).toEqual(new Set(["green-0"]));
    const others = await world.clients(60);
    const after = await world.tunnelsByThread();
    expect(after[1]).toBeGreaterThan(5);
    expect(sum(after)).toBe(120 - before[1]!);
    const text = await scrape(world.admin);
    expect(valueOf(text, "holdfast_data_thread_restarts_total")).toBe(1);
    expect(valueOf(text, "holdfast_control_thread_restarts_total")).toBe(0);
    expect(valueOf(text, `holdfast_tunnels_opened_total{${RULE}}`)).toBeGreaterThanOrEqual(120);
    expect(valueOf(text, `holdfast_tunnels_ended_total{${RULE},cause="cut"}`)).toBe(before[1]);
    expect(valueOf(text, "holdfast_handshake_duration_seconds_count")).toBeGreaterThanOrEqual(120);
    const lost = (await closes([...clients, ...others])).filter((closed) => closed !== undefined);
    expect(lost).toHaveLength(before[1]!);
  });

  test("when the control thread crashes the last table is served by all, and then followed again by all", async () => {
    await using world = await World.start();
    const clients = await world.clients(30);
    await world.plant("control.throw");
    await world.holdfast.line(({ msg }) => msg === "the control thread failed");
    expect(await world.landings()).toEqual(new Set(["blue-0", "blue-1"]));
    await world.writeRoute("green");
    await expect.poll(() => world.landings(), SLOW).toEqual(new Set(["green-0"]));
    await world.writeRoute("blue");
    await expect.poll(() => world.landings(), SLOW).toEqual(new Set(["blue-0", "blue-1"]));
    expect(await closes(clients)).toEqual(clients.map(() => undefined));
  });

  test("one that is stalled is shown at a scrape as it was before, and said to be late", async () => {
    await using world = await World.start();
    const clients = await world.clients(30);
    const before = await world.tunnelsByThread();
    await world.plant("data-2.stall");
    const late = (): unknown =>
      world.holdfast.log.find(({ msg }) => msg?.includes("did not tell its counts in time") === true);
    await expect.poll(async () => [await world.tunnelsByThread(), late()], SLOW).toEqual([before, expect.anything()]);
    expect(late()).toMatchObject({ thread: 2, level: "warn" });
    expect(await world.tunnelsByThread()).toEqual(before);
    expect(await closes(clients)).toEqual(clients.map(() => undefined));
  });

  test("a port that another process shares by the same flag is taken, and that is said in words", async () => {
    await using world = await World.start();
    const args = ["proxy", "--to", "127.0.0.1:1", "--http", world.http, "--data-threads", "2"];
    await using second = new HoldfastProcess(args, {});
    expect(await second.exit()).toEqual({ code: 1, signal: null });
    expect(second.stderr.join("\n")).toContain(`cannot listen on ${world.http}: the port is in use`);
  });
});
