import { join } from "node:path";
import { expect, test } from "vitest";
import { serveFolder } from "./fixtures/holdfast.ts";
import { endpoints, type Manifest, ManifestFolder, route, service } from "./fixtures/manifests.ts";
import { NumberedBackend } from "./fixtures/numbered-backend.ts";
import { type ClientReport, landing, NumberedClient } from "./fixtures/numbered-client.ts";

const HOST = "chat.example.com";
const TUNNELS = 200;
const CHANGES = 200;
interface Change {
  readonly name: string;
  readonly files: Readonly<Record<string, readonly Manifest[]>>;
  readonly path: string;
  readonly expected: ReadonlySet<string>;
  /** Backends that the change takes out of service. */
  readonly removed: readonly NumberedBackend[];
}

/** What a kind of change says of the route, and which Service then answers; undefined = the status instead. */
interface Kind {
  readonly name: string;
  readonly route: Manifest | undefined;
  readonly path?: string;
  readonly lands: "blue" | "green" | "404" | "503";
  readonly portName?: string;
}

const ROUTE = () => route("chat").host(HOST);

const KINDS: readonly ((number: number) => Kind)[] = [
  () => ({ name: "endpoints removed and added", route: ROUTE().to("blue", 80).manifest(), lands: "blue" }),
  () => ({
    name: "weights moved to another Service",
    route: ROUTE().to("blue", 80, 0).to("green", 80, 1).manifest(),
    lands: "green",
  }),
  (number) => ({
    name: "path renamed",
    route: ROUTE().prefix(`/room-${number}`).to("green", 80).manifest(),
    path: `/room-${number}/x`,
    lands: "green",
  }),
  (number) => ({
    name: "old path gone",
    route: ROUTE().prefix(`/only-${number}`).to("green", 80).manifest(),
    lands: "404",
  }),
  (number) => ({
    name: "Service port renamed",
    route: ROUTE().to("blue", 80).manifest(),
    lands: "blue",
    portName: `p${number}`,
  }),
  () => ({ name: "route deleted", route: undefined, lands: "404" }),
  (number) => ({
    name: "route back, with another policy",
    route: ROUTE()
      .with({ timeouts: { idle: `${60 + number}s` } })
      .to("blue", 80)
      .manifest(),
    lands: "blue",
  }),
  () => ({ name: "all endpoints gone", route: ROUTE().to("blue", 80).manifest(), lands: "503" }),
  (number) => ({
    name: "another route of the same host",
    route: route(`other-${number}`).host(HOST).prefix("/other").to("green", 80).manifest(),
    path: "/other",
    lands: "green",
  }),
];

/**
 * One change after the other. Each takes other backends out of both Services than the one before, all of which hold
 * tunnels, brings those back, and does something to the route besides.
 */
function* changes(blue: readonly NumberedBackend[], green: readonly NumberedBackend[]): Generator<Change> {
  for (let number = 0; ; number++) {
    const kind = KINDS[number % KINDS.length]!(number);
    const removed = kind.lands === "503" ? blue : [blue[number % blue.length]!, green[number % green.length]!];
    const listed = (list: readonly NumberedBackend[]): NumberedBackend[] =>
      list.filter((one) => !removed.includes(one));
    const ports = (list: readonly NumberedBackend[]): number[] => listed(list).map((backend) => backend.port);
    const names = (list: readonly NumberedBackend[]): Set<string> => new Set(listed(list).map(({ name }) => name));
    const answers = { blue: names(blue), green: names(green), "404": new Set(["404"]), "503": new Set(["503"]) };
    yield {
      name: `${number}: ${kind.name}`,
      files: {
        "services.yaml": [service("blue", 80, kind.portName), service("green", 80)],
        "slices.yaml": endpoints("blue", ports(blue), kind.portName),
        "green.yaml": endpoints("green", ports(green)),
        "route.yaml": kind.route === undefined ? [] : [kind.route],
      },
      path: kind.path ?? "/",
      expected: answers[kind.lands],
      removed,
    };
  }
}

/** Runs `count` changes under live tunnels and tells what became of the tunnels. */
async function churn(options: {
  readonly count: number;
  readonly tunnels: number;
  readonly env?: Record<string, string>;
}): Promise<ClientReport[]> {
  const all = await Promise.all(
    Array.from({ length: 8 }, (_, index) => NumberedBackend.start(`${index < 5 ? "blue" : "green"}-${index}`)),
  );
  const [blue, green] = [all.slice(0, 5), all.slice(5)];
  await using folder = await ManifestFolder.create({
    "services.yaml": [service("blue", 80), service("green", 80)],
    "slices.yaml": endpoints(
      "blue",
      blue.map((backend) => backend.port),
    ),
    "green.yaml": endpoints(
      "green",
      green.map((backend) => backend.port),
    ),
    "route.yaml": [route("chat").host(HOST).to("blue", 80).to("green", 80).manifest()],
  });
  const { holdfast, http } = await serveFolder(folder.path, options.env === undefined ? {} : { env: options.env });
  try {
    const clients = await Promise.all(
      Array.from({ length: options.tunnels }, () => NumberedClient.open(`ws://${http}/`, HOST)),
    );
    await expect
      .poll(() => new Set(clients.map((client) => client.backend)))
      .toEqual(new Set(all.map((backend) => backend.name)));
    let done = 0;
    for (const change of changes(blue, green)) {
      if (done++ === options.count) break;
      expect(change.removed.every((backend) => backend.open.size > 0)).toBe(true);
      for (const [file, manifests] of Object.entries(change.files)) await folder.write(file, manifests);
      await settled(`ws://${http}${change.path}`, change);
    }
    return await Promise.all(clients.map((client) => client.finish()));
  } catch (error) {
    throw new Error(`${String(error)}\n${holdfast.text()}`, { cause: error });
  } finally {
    await holdfast[Symbol.asyncDispose]();
    for (const backend of all) await backend[Symbol.asyncDispose]();
  }
}

/** Waits until new handshakes land where they should, all of them, often enough to have met every backend. */
async function settled(url: string, change: Change): Promise<void> {
  await expect
    .poll(async () => new Set(await Promise.all(Array.from({ length: 10 }, () => landing(url, HOST)))), {
      message: change.name,
      timeout: 10_000,
      interval: 10,
    })
    .toEqual(change.expected);
}

test(`${CHANGES} changes of endpoints and routes under ${TUNNELS} live tunnels close none, and lose, double or reorder nothing`, async () => {
  const reports = await churn({ count: CHANGES, tunnels: TUNNELS });
  expect(reports.filter((report) => report.closed !== undefined)).toEqual([]);
  expect(reports.flatMap((report) => report.faults)).toEqual([]);
  expect(reports).toHaveLength(TUNNELS);
});

test("a planted destroy of one socket at an endpoint change is seen", async () => {
  const plant = join(import.meta.dirname, "fixtures/plant-destroy.mjs");
  const reports = await churn({ count: 3, tunnels: 20, env: { NODE_OPTIONS: `--import ${plant}` } });
  expect(reports.filter((report) => report.closed !== undefined).length).toBeGreaterThan(0);
});
