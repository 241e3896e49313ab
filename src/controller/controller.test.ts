import { afterEach, describe, expect, test } from "vitest";
import type { ClusterSnapshot, Kind } from "../graph/index.ts";
import type { Endpoint, TableDelta } from "../routing/index.ts";
import {
  type After,
  type ClusterChange,
  type ClusterObject,
  type ClusterSource,
  Controller,
  type ControllerObserver,
  type DataPlane,
  type Log,
  ObjectStore,
  type StatusPatch,
  type StatusWriter,
} from "./index.ts";

/** Time that passes only by hand. */
class HandClock {
  nowMs = 0;
  readonly #timers = new Set<{ atMs: number; run: () => void }>();

  readonly now = (): number => this.nowMs;

  readonly after: After = (delayMs, run) => {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  async pass(ms: number): Promise<void> {
    await settled();
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      await settled();
    }
    this.nowMs = untilMs;
    await settled();
  }
}

/** All promises that are ready have run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class MemorySource implements ClusterSource {
  readonly store = new ObjectStore();
  readonly #listeners: ((change: ClusterChange) => void)[] = [];
  startsWith: () => Promise<void> = () => Promise.resolve();

  start(): Promise<void> {
    return this.startsWith();
  }
  snapshot(): ClusterSnapshot {
    return this.store;
  }
  onChange(listener: (change: ClusterChange) => void): void {
    this.#listeners.push(listener);
  }
  put(kind: Kind, object: ClusterObject): void {
    this.#tell(this.store.put(kind, object));
  }
  remove(kind: Kind, name: string): void {
    this.#tell(this.store.remove(kind, name));
  }
  #tell(changes: readonly ClusterChange[]): void {
    for (const change of changes) for (const listener of this.#listeners) listener(change);
  }
}

/** Writes down, in order, what it is told; `rejects` counts how many tables it will not take. */
class Recorder implements DataPlane, StatusWriter, ControllerObserver, Log {
  readonly lines: string[] = [];
  readonly deltas: TableDelta[] = [];
  readonly patches: StatusPatch[] = [];
  readonly builds: Parameters<ControllerObserver["programmed"]>[0][] = [];
  readonly logged: string[] = [];
  rejectedTables = 0;
  thrownEndpoints = 0;
  rejectedWrites = 0;
  holdTable: Promise<void> | undefined;

  async applyTable(delta: TableDelta): Promise<void> {
    const hosts = [...delta.hosts].map(([host, entries]) => (entries === null ? `-${host}` : host));
    if (this.rejectedTables > 0) {
      this.rejectedTables -= 1;
      this.lines.push(`refused ${hosts.join(" ")}`);
      throw new Error("no");
    }
    this.deltas.push(delta);
    await this.holdTable;
    this.lines.push(`table ${hosts.join(" ")}`);
  }
  setEndpoints(upstream: string, endpoints: readonly Endpoint[] | null): void {
    if (this.thrownEndpoints > 0) {
      this.thrownEndpoints -= 1;
      throw new Error("no");
    }
    const list = endpoints?.map(({ address, port }) => `${address}:${port}`).join(" ");
    this.lines.push(`${upstream} = ${list === undefined ? "forgotten" : `[${list}]`}`);
  }
  write(patches: readonly StatusPatch[]): Promise<void> {
    if (this.rejectedWrites > 0) {
      this.rejectedWrites -= 1;
      throw new Error("no");
    }
    this.patches.push(...patches);
    return Promise.resolve();
  }
  programmed(build: Parameters<ControllerObserver["programmed"]>[0]): void {
    this.builds.push(build);
  }
  debug(): void {}
  info(): void {}
  warn(_fields: object, message: string): void {
    this.logged.push(message);
  }
  error(_fields: object, message: string): void {
    this.logged.push(message);
  }
  /** What was written since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }
}

const route = (
  name: string,
  more: { host?: string; to?: string; port?: number; rules?: unknown } = {},
): ClusterObject =>
  ({
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name, namespace: "apps" },
    spec: {
      hostnames: [more.host ?? `${name}.example.com`],
      rules: more.rules ?? [{ name: "main", backendRefs: [{ name: more.to ?? name, port: more.port ?? 80 }] }],
    },
  }) as ClusterObject;
const service = (name: string, ports: unknown = [{ name: "ws", port: 80 }]): ClusterObject =>
  ({ apiVersion: "v1", kind: "Service", metadata: { name, namespace: "apps" }, spec: { ports } }) as ClusterObject;
const slice = (of: string, addresses: string[], portName = "ws"): ClusterObject =>
  ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${of}-1`, namespace: "apps", labels: { "kubernetes.io/service-name": of } },
    addressType: "IPv4",
    ports: [{ name: portName, port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  }) as ClusterObject;

interface World {
  readonly source: MemorySource;
  readonly told: Recorder;
  readonly clock: HandClock;
  readonly ended: Promise<void>;
  readonly abort: AbortController;
}

const worlds: World[] = [];

async function run(prepare: (world: Pick<World, "source" | "told">) => void = () => {}): Promise<World> {
  const source = new MemorySource();
  const told = new Recorder();
  const clock = new HandClock();
  const abort = new AbortController();
  prepare({ source, told });
  const controller = new Controller({
    source,
    dataPlane: told,
    status: told,
    observer: told,
    log: told,
    now: clock.now,
    after: clock.after,
    options: { ingressClassName: "holdfast" },
  });
  const world = { source, told, clock, abort, ended: controller.run(abort.signal) };
  world.ended.catch(() => {});
  worlds.push(world);
  await settled();
  return world;
}

const withChat = ({ source }: Pick<World, "source">): void => {
  source.put("WebSocketRoute", route("chat"));
  source.put("Service", service("chat"));
  source.put("EndpointSlice", slice("chat", ["10.0.0.1", "10.0.0.2"]));
};

afterEach(async () => {
  for (const { abort, ended } of worlds.splice(0)) {
    abort.abort();
    await ended.catch(() => {});
  }
});

describe("the first build", () => {
  test("brings endpoints before the table that names them", async () => {
    const { told } = await run(withChat);
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.1:8080 10.0.0.2:8080]", "table chat.example.com"]);
    expect(told.builds).toMatchObject([{ generation: 1, routes: 1, rejectedRoutes: 0, hostsChanged: 1 }]);
    expect(told.patches.map((patch) => patch.route)).toEqual(["apps/chat"]);
  });

  test("of an empty source is live too, and sends no table", async () => {
    const { told } = await run();
    expect(told.take()).toEqual([]);
    expect(told.builds).toMatchObject([{ generation: 0, routes: 0, hostsChanged: 0 }]);
  });

  test("waits for the source, and what changes meanwhile is in it", async () => {
    let start = (): void => {};
    const { told, source } = await run(({ source: slow }) => {
      slow.startsWith = () => new Promise((resolve) => (start = resolve));
    });
    withChat({ source });
    await settled();
    expect(told.take()).toEqual([]);
    start();
    await settled();
    expect(told.take()).toHaveLength(2);
    expect(told.builds).toHaveLength(1);
  });

  test("a source that cannot start ends the run with its words", async () => {
    const { ended } = await run(({ source }) => {
      source.startsWith = () => Promise.reject(new Error("the folder /x does not exist"));
    });
    await expect(ended).rejects.toThrow("the folder /x does not exist");
  });
});

describe("the short road", () => {
  test("brings changed endpoints at once, without a build", async () => {
    const { told, source } = await run(withChat);
    told.take();
    source.put("EndpointSlice", slice("chat", ["10.0.0.3"]));
    await Promise.resolve();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.3:8080]"]);
    await settled();
    expect(told.builds).toHaveLength(1);
  });

  test("several changes of one Service in one turn are told once", async () => {
    const { told, source } = await run(withChat);
    told.take();
    for (const last of [3, 4, 5]) source.put("EndpointSlice", slice("chat", [`10.0.0.${last}`]));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.5:8080]"]);
  });

  test("what resolves to the same list is not told again", async () => {
    const { told, source } = await run(withChat);
    told.take();
    source.put("EndpointSlice", slice("chat", ["10.0.0.2", "10.0.0.1"]));
    await settled();
    expect(told.take()).toEqual([]);
  });

  test("a Service that no rule names is not resolved and not built for", async () => {
    const { told, source, clock } = await run(withChat);
    told.take();
    source.put("Service", service("other"));
    source.put("EndpointSlice", slice("other", ["10.0.0.9"]));
    await clock.pass(100);
    expect(told.take()).toEqual([]);
    expect(told.builds).toHaveLength(1);
  });

  test("a storm of 500 endpoint changes does not touch the table", async () => {
    const { told, source, clock } = await run((world) => {
      for (let i = 0; i < 500; i++) {
        world.source.put("WebSocketRoute", route(`app-${i}`));
        world.source.put("Service", service(`app-${i}`));
        world.source.put("EndpointSlice", slice(`app-${i}`, ["10.0.0.1"]));
      }
    });
    told.take();
    for (let i = 0; i < 500; i++) source.put("EndpointSlice", slice(`app-${i}`, ["10.0.0.1", "10.0.0.2"]));
    await clock.pass(1000);
    const lines = told.take();
    expect(lines).toHaveLength(500);
    expect(lines.filter((line) => line.startsWith("table"))).toEqual([]);
    expect(told.builds).toHaveLength(1);
  });

  test("goes on while a table is on its way, for the upstreams it names too", async () => {
    let done = (): void => {};
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.holdTable = new Promise((resolve) => (done = resolve));
    source.put("Service", service("game"));
    source.put("WebSocketRoute", route("game"));
    await settled();
    source.put("EndpointSlice", slice("game", ["10.0.1.1"]));
    source.put("EndpointSlice", slice("chat", ["10.0.0.4"]));
    await settled();
    expect(told.take()).toEqual([
      "apps/game:80 = []",
      "apps/game:80 = [10.0.1.1:8080]",
      "apps/chat:80 = [10.0.0.4:8080]",
    ]);
    done();
    await settled();
    expect(told.take()).toEqual(["table game.example.com"]);
  });

  test("what the data plane did not take is told again with the next change, or a second later", async () => {
    const { told, source, clock } = await run(withChat);
    told.take();
    told.thrownEndpoints = 1;
    source.put("EndpointSlice", slice("chat", ["10.0.0.3"]));
    await settled();
    expect(told.take()).toEqual([]);
    expect(told.logged).toEqual(["endpoints could not be handed over; they will be tried again"]);
    source.put("EndpointSlice", slice("other", ["10.0.0.9"]));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.3:8080]"]);
    told.thrownEndpoints = 1;
    source.put("EndpointSlice", slice("chat", ["10.0.0.4"]));
    await clock.pass(10_000);
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.4:8080]"]);
  });
});

describe("routes", () => {
  test("a new one is built for at once: endpoints, then the table", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    source.put("Service", service("game"));
    source.put("EndpointSlice", slice("game", ["10.0.1.1"]));
    source.put("WebSocketRoute", route("game"));
    await settled();
    expect(told.take()).toEqual(["apps/game:80 = [10.0.1.1:8080]", "table game.example.com"]);
  });

  test("an upstream is forgotten only after the table that no longer names it", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    source.put("Service", service("game"));
    source.put("WebSocketRoute", route("chat", { to: "game" }));
    await settled();
    expect(told.take()).toEqual(["apps/game:80 = []", "table chat.example.com", "apps/chat:80 = forgotten"]);
    source.put("EndpointSlice", slice("chat", ["10.0.0.7"]));
    await settled();
    expect(told.take()).toEqual([]);
  });

  test("a route that goes takes its host with it", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    source.remove("WebSocketRoute", "apps/chat");
    await settled();
    expect(told.take()).toEqual(["table -chat.example.com", "apps/chat:80 = forgotten"]);
  });

  test("a change that changes nothing sends nothing and is not built for", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    withChat({ source });
    await clock.pass(100);
    expect(told.take()).toEqual([]);
    expect(told.builds).toHaveLength(1);
  });

  test("builds of a burst come at once and then every 50 ms at most", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await settled();
    for (const name of ["b", "c", "d"]) source.put("WebSocketRoute", route(name, { to: "chat" }));
    await clock.pass(49);
    expect(told.take()).toEqual(["table a.example.com"]);
    await clock.pass(1);
    expect(told.take()).toEqual(["table b.example.com c.example.com d.example.com"]);
  });

  test("while a table is on its way the next gathers", async () => {
    let done = (): void => {};
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.holdTable = new Promise((resolve) => (done = resolve));
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await settled();
    source.put("WebSocketRoute", route("b", { to: "chat" }));
    await clock.pass(200);
    source.put("WebSocketRoute", route("c", { to: "chat" }));
    await clock.pass(200);
    expect(told.deltas).toHaveLength(2);
    done();
    await settled();
    expect(told.take()).toEqual(["table a.example.com", "table b.example.com c.example.com"]);
    expect(told.deltas.map(({ generation }) => generation)).toEqual([1, 2, 3]);
  });

  test("a broken route harms itself only", async () => {
    const { told } = await run((world) => {
      withChat(world);
      world.source.put("WebSocketRoute", route("bad", { rules: "many" }));
    });
    expect(told.take().at(-1)).toBe("table chat.example.com");
    expect(told.builds).toMatchObject([{ routes: 2, rejectedRoutes: 1 }]);
    expect(told.patches.find((patch) => patch.route === "apps/bad")?.conditions).toContainEqual(
      expect.objectContaining({ type: "Accepted", status: "False" }),
    );
  });
});

describe("Services", () => {
  test("one that was missing brings its endpoints, and a condition that is met, and no table", async () => {
    const { told, source, clock } = await run((world) => {
      world.source.put("WebSocketRoute", route("chat"));
      world.source.put("EndpointSlice", slice("chat", ["10.0.0.1"]));
    });
    expect(told.take()).toEqual(["apps/chat:80 = []", "table chat.example.com"]);
    expect(told.patches.at(-1)?.conditions).toContainEqual(expect.objectContaining({ reason: "BackendNotFound" }));
    await clock.pass(100);
    source.put("Service", service("chat"));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.1:8080]"]);
    expect(told.patches).toHaveLength(2);
    expect(told.patches.at(-1)?.conditions).not.toContainEqual(expect.objectContaining({ status: "False" }));
  });

  test("a port that is renamed follows its slices", async () => {
    const { told, source } = await run(withChat);
    told.take();
    source.put("Service", service("chat", [{ name: "socket", port: 80 }]));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = []"]);
    source.put("EndpointSlice", slice("chat", ["10.0.0.1"], "socket"));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.1:8080]"]);
  });

  test("one that goes takes its endpoints with it", async () => {
    const { told, source } = await run(withChat);
    told.take();
    source.remove("Service", "apps/chat");
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = []"]);
  });
});

describe("failures", () => {
  test("a table that is refused once comes with the next change, the upstreams of the old one untouched", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.rejectedTables = 1;
    source.put("WebSocketRoute", route("chat", { to: "game", host: "new.example.com" }));
    await settled();
    expect(told.take()).toEqual(["apps/game:80 = []", "refused new.example.com -chat.example.com"]);
    await clock.pass(100);
    source.put("EndpointSlice", slice("game", ["10.0.1.1"]));
    await settled();
    expect(told.take()).toEqual(["table new.example.com -chat.example.com", "apps/chat:80 = forgotten"]);
    expect(told.deltas.map(({ generation }) => generation)).toEqual([1, 3]);
  });

  test("hosts of a refused table are sent again though they are as they were", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.rejectedTables = 1;
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await clock.pass(100);
    source.remove("WebSocketRoute", "apps/a");
    await clock.pass(100);
    expect(told.take()).toEqual(["refused a.example.com", "table -a.example.com"]);
  });

  test("without another change a refused table is tried again later, ever more patiently", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.rejectedTables = 3;
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await clock.pass(1000);
    expect(told.take()).toHaveLength(2);
    await clock.pass(1999);
    expect(told.take()).toEqual([]);
    await clock.pass(10_000);
    expect(told.take()).toEqual(["refused a.example.com", "table a.example.com"]);
    await clock.pass(100_000);
    expect(told.take()).toEqual([]);
  });

  test("a status writer that throws is tried again, and holds up no table", async () => {
    const { told, source, clock } = await run((world) => {
      withChat(world);
      world.told.rejectedWrites = 2;
    });
    expect(told.patches).toEqual([]);
    expect(told.builds).toHaveLength(1);
    await clock.pass(100);
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await settled();
    expect(told.take().at(-1)).toBe("table a.example.com");
    await clock.pass(10_000);
    expect(told.patches.map((patch) => patch.route)).toEqual(["apps/a", "apps/chat"]);
    expect(told.logged).toHaveLength(2);
  });

  test("a fault of ours in a build is an error in the log, and the last table keeps serving", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    const list = source.store.list.bind(source.store);
    source.store.list = () => {
      throw new Error("a bug");
    };
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await clock.pass(100);
    expect(told.take()).toEqual([]);
    expect(told.logged).toEqual(["a build failed; the last good table keeps serving"]);
    source.store.list = list;
    source.put("WebSocketRoute", route("b", { to: "chat" }));
    await clock.pass(100);
    expect(told.take()).toEqual(["table a.example.com b.example.com"]);
  });

  test("an end does not wait for a data plane that hangs", async () => {
    const { told, source, abort, ended, clock } = await run(withChat);
    await clock.pass(100);
    told.holdTable = new Promise(() => {});
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await settled();
    abort.abort();
    await ended;
    source.put("EndpointSlice", slice("chat", ["10.0.0.3"]));
    await settled();
    expect(told.take().at(-1)).toBe("table chat.example.com");
  });
});
