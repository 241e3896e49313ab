import { afterEach, describe, expect, test } from "vitest";
import type { After, ClusterChange, Log } from "../controller/index.ts";
import type { ResolveHost } from "../dns/index.ts";
import { ManifestSource } from "./index.ts";

/** Time that passes only by hand. */
class HandClock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; run: () => void }>();

  readonly after: After = (delayMs, run) => {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  async pass(ms: number): Promise<void> {
    await settled();
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      await settled();
    }
    this.#nowMs = untilMs;
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A DNS whose answers are set by hand; undefined = it keeps everybody waiting until `answerLate`. */
class HandDns {
  readonly asked: string[] = [];
  readonly #late: (() => void)[] = [];
  readonly answers = new Map<string, readonly string[] | Error | undefined>();
  readonly resolve: ResolveHost = (hostname) => {
    this.asked.push(hostname);
    const answer = this.answers.get(hostname);
    if (answer instanceof Error) return Promise.reject(answer);
    if (answer !== undefined) return Promise.resolve(answer.map((address) => ({ address })));
    return new Promise((resolve, reject) => {
      this.#late.push(() => void this.resolve(hostname).then(resolve, reject));
    });
  };
  answerLate(): void {
    for (const answer of this.#late.splice(0)) answer();
  }
}

const notFound = (): Error => Object.assign(new Error("getaddrinfo ENOTFOUND chat"), { code: "ENOTFOUND" });

const external = (name: string, host: string, ports?: unknown): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "apps" },
  spec: { type: "ExternalName", externalName: host, ...(ports !== undefined && { ports }) },
});

interface World {
  readonly source: ManifestSource;
  readonly dns: HandDns;
  readonly clock: HandClock;
  readonly changes: ClusterChange[];
  readonly said: string[];
  readonly started: Promise<void>;
}

const aborts: AbortController[] = [];
afterEach(() => {
  for (const abort of aborts.splice(0)) abort.abort();
});

async function start(
  objects: readonly object[],
  answers: Record<string, readonly string[] | Error> = {},
): Promise<World> {
  const dns = new HandDns();
  for (const [host, answer] of Object.entries(answers)) dns.answers.set(host, answer);
  const clock = new HandClock();
  const said: string[] = [];
  const log: Log = {
    debug: () => {},
    info: (fields, message) => said.push(`info ${message} ${JSON.stringify(fields)}`),
    warn: (fields, message) => said.push(`warn ${message} ${JSON.stringify(fields)}`),
    error: () => {},
  };
  const source = new ManifestSource({ objects, log, resolve: dns.resolve, after: clock.after, random: () => 0.5 });
  const changes: ClusterChange[] = [];
  source.onChange((change) => changes.push(change));
  const abort = new AbortController();
  aborts.push(abort);
  const started = source.start(abort.signal);
  started.catch(() => {});
  await settled();
  return { source, dns, clock, changes, said, started };
}

interface Slice {
  readonly metadata: { readonly name: string };
  readonly addressType: string;
  readonly ports: unknown;
  readonly endpoints: readonly { readonly addresses: readonly string[] }[];
}

const slices = ({ source }: World, service = "apps/chat"): { addresses: string[]; [field: string]: unknown }[] =>
  (source.snapshot().slicesOf(service) as readonly Slice[]).map(({ metadata, addressType, ports, endpoints }) => ({
    name: metadata.name,
    addressType,
    ports,
    addresses: endpoints.flatMap((endpoint) => endpoint.addresses),
  }));
const addresses = (world: World, service = "apps/chat"): string[] =>
  slices(world, service).flatMap((slice) => slice.addresses);

test("objects are there after the start, under their names", async () => {
  const world = await start([{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } }]);
  await world.started;
  expect([...world.source.snapshot().list("ConfigMap").keys()]).toEqual(["default/a"]);
});

test("an object that is refused ends the start with its words", async () => {
  const { started } = await start([
    { apiVersion: "v1", kind: "Service", metadata: { name: "a" }, spec: { type: "Odd" } },
  ]);
  await expect(started).rejects.toThrow(/^Service default\/a: spec\.type: /);
});

test.for<{ name: string; host: string; want: string[] }>([
  { name: "an IPv4 address", host: "127.0.0.1", want: ["127.0.0.1"] },
  { name: "an IPv6 address", host: "::1", want: ["::1"] },
  { name: "localhost", host: "localhost", want: ["127.0.0.1", "::1"] },
  { name: "localhost as a full name", host: "LocalHost.", want: ["127.0.0.1", "::1"] },
  { name: "a name below localhost", host: "chat.localhost", want: ["127.0.0.1", "::1"] },
])("$name needs no DNS", async ({ host, want }) => {
  const world = await start([external("chat", host)]);
  await world.started;
  expect(addresses(world)).toEqual(want);
  await world.clock.pass(60_000);
  expect(world.dns.asked).toEqual([]);
});

test("there is one slice for each family, of the Service and with its ports", async () => {
  const ports = [
    { name: "ws", port: 80, targetPort: 8010 },
    { name: "other", port: 81, targetPort: "http" },
  ];
  const world = await start([external("chat", "chat.internal", ports)], {
    "chat.internal": ["10.0.0.2", "fd00::1", "10.0.0.1", "10.0.0.2", "fe80::1%eth0", "nonsense"],
  });
  const slicePorts = [
    { name: "ws", protocol: "TCP", port: 8010 },
    { name: "other", protocol: "TCP", port: 81 },
  ];
  expect(slices(world)).toEqual([
    { name: "chat-dns", addressType: "IPv4", ports: slicePorts, addresses: ["10.0.0.1", "10.0.0.2"] },
    { name: "chat-dns-ipv6", addressType: "IPv6", ports: slicePorts, addresses: ["fd00::1"] },
  ]);
});

test("a Service without ports has every port", async () => {
  const world = await start([external("chat", "127.0.0.1")]);
  expect(slices(world)).toMatchObject([{ ports: [{ name: "", protocol: "TCP" }] }]);
});

test("the start waits for the first answers, but not for ever", async () => {
  const world = await start([external("chat", "chat.internal")]);
  let hasStarted = false;
  void world.started.then(() => (hasStarted = true));
  await world.clock.pass(1999);
  expect(hasStarted).toBe(false);
  await world.clock.pass(1);
  expect(hasStarted).toBe(true);
  expect(addresses(world)).toEqual([]);
});

describe("DNS is asked again and again", () => {
  const chat = external("chat", "chat.internal");

  test("and a change is told, an equal answer is not", async () => {
    const world = await start([chat], { "chat.internal": ["10.0.0.1", "10.0.0.2"] });
    await world.started;
    world.dns.answers.set("chat.internal", ["10.0.0.2", "10.0.0.1"]);
    await world.clock.pass(5000);
    expect(world.dns.asked).toHaveLength(2);
    expect(world.changes).toEqual([]);
    world.dns.answers.set("chat.internal", ["10.0.0.3"]);
    await world.clock.pass(5000);
    expect(addresses(world)).toEqual(["10.0.0.3"]);
    expect(world.changes).toEqual([{ kind: "endpoints", service: "apps/chat" }]);
  });

  test("a family that is no longer answered goes", async () => {
    const world = await start([chat], { "chat.internal": ["10.0.0.1", "fd00::1"] });
    world.dns.answers.set("chat.internal", ["10.0.0.1"]);
    await world.clock.pass(5000);
    expect(slices(world)).toMatchObject([{ name: "chat-dns", addresses: ["10.0.0.1"] }]);
  });

  test.for<{ name: string; answer: readonly string[] | Error | undefined; message: string; afterMs: number }>([
    { name: "an error", answer: notFound(), message: "ENOTFOUND", afterMs: 5000 },
    { name: "an answer without addresses", answer: [], message: "no addresses", afterMs: 5000 },
    { name: "no answer", answer: undefined, message: "no answer", afterMs: 15_000 },
  ])("$name keeps the last good addresses, is told once, and mended", async ({ answer, message, afterMs }) => {
    const world = await start([chat], { "chat.internal": ["10.0.0.1"] });
    await world.started;
    world.dns.answers.set("chat.internal", answer);
    await world.clock.pass(afterMs + 40_000);
    expect(addresses(world)).toEqual(["10.0.0.1"]);
    expect(world.changes).toEqual([]);
    const problem = `externalName chat.internal does not resolve: ${message}`;
    expect(world.said).toEqual([`warn external name problem ${JSON.stringify({ service: "apps/chat", problem })}`]);
    world.dns.answers.set("chat.internal", ["10.0.0.2"]);
    world.dns.answerLate();
    await world.clock.pass(20_000);
    expect(addresses(world)).toEqual(["10.0.0.2"]);
    expect(world.said.at(-1)).toBe('info external name resolves again {"service":"apps/chat"}');
  });

  test("a host is not asked again before it answered, and an answer that comes late counts", async () => {
    const world = await start([chat], { "chat.internal": ["10.0.0.1"] });
    await world.started;
    world.dns.answers.delete("chat.internal");
    const askedBefore = world.dns.asked.length;
    await world.clock.pass(300_000);
    expect(world.dns.asked.length).toBe(askedBefore + 1);
    world.dns.answers.set("chat.internal", ["10.0.0.2"]);
    world.dns.answerLate();
    await settled();
    expect(addresses(world)).toEqual(["10.0.0.2"]);
  });

  test("a resolver that throws at once is a failure like any other", async () => {
    const world = await start([chat], { "chat.internal": ["10.0.0.1"] });
    world.dns.answers.get = () => {
      throw new Error("broken");
    };
    await world.clock.pass(5000);
    expect(addresses(world)).toEqual(["10.0.0.1"]);
    expect(world.said).toHaveLength(1);
  });

  test("a host of two Services is asked for once", async () => {
    const world = await start([chat, external("game", "chat.internal")], { "chat.internal": ["10.0.0.1"] });
    expect(world.dns.asked).toEqual(["chat.internal"]);
    expect(addresses(world, "apps/game")).toEqual(["10.0.0.1"]);
  });

  test("eight hosts at a time, and one that hangs holds its place for ten seconds only", async () => {
    const many = Array.from({ length: 20 }, (_, i) => external(`s-${i}`, `h-${i}.internal`));
    const world = await start(many);
    expect(world.dns.asked).toHaveLength(8);
    await world.clock.pass(10_000);
    expect(world.dns.asked).toHaveLength(16);
    await world.clock.pass(10_000);
    expect(new Set(world.dns.asked).size).toBe(20);
  });

  test("not after the end", async () => {
    const world = await start([chat], { "chat.internal": ["10.0.0.1"] });
    for (const abort of aborts) abort.abort();
    await world.clock.pass(60_000);
    expect(world.dns.asked).toHaveLength(1);
  });
});

test("a slice that somebody wrote is not touched, and the Service is told of", async () => {
  const written = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "chat-dns", namespace: "apps", labels: { "kubernetes.io/service-name": "chat" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.9.9.9"] }],
  };
  const world = await start([written, external("chat", "10.0.0.1")]);
  expect(addresses(world)).toEqual(["10.9.9.9"]);
  expect(world.said).toEqual([expect.stringContaining("EndpointSlice apps/chat-dns is defined already")]);
});
