import { join } from "node:path";
import { expect, test } from "vitest";
import { serveFolder } from "./fixtures/holdfast.ts";
import { endpoints, type Manifest, ManifestFolder, route, service } from "./fixtures/manifests.ts";
import { NumberedBackend } from "./fixtures/numbered-backend.ts";
import { type ClientReport, landing, NumberedClient } from "./fixtures/numbered-client.ts";

const HOST = "chat.example.com";
const TUNNELS = 200;
const CHANGES = 200;
/** Made by a hand-written generator, so that a failing run can be repeated. */
const SEED = 20_261_121;

interface Change {
  readonly name: string;
  readonly files: Readonly<Record<string, readonly Manifest[]>>;
  readonly path: string;
  readonly expected: ReadonlySet<string>;
}

function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One change after the other; each kind names where a new handshake must land. */
function* changes(
  blue: readonly NumberedBackend[],
  green: readonly NumberedBackend[],
  random: () => number,
): Generator<Change> {
  const names = (list: readonly NumberedBackend[]): Set<string> => new Set(list.map((backend) => backend.name));
  const ports = (list: readonly NumberedBackend[]): number[] => list.map((backend) => backend.port);
  const some = (list: readonly NumberedBackend[]): NumberedBackend[] => {
    const chosen = list.filter(() => random() < 0.5);
    return chosen.length > 0 && chosen.length < list.length ? chosen : list.slice(0, 2);
  };
  const blueRoute = () => route("chat").host(HOST).to("blue", 80);
  for (let number = 0; ; number++) {
    const kinds: readonly (() => Change)[] = [
      () => {
        const listed = some(blue);
        return {
          name: "endpoints removed and added",
          files: { "slices.yaml": endpoints("blue", ports(listed)), "route.yaml": [blueRoute().manifest()] },
          path: "/",
          expected: names(listed),
        };
      },
      () => ({
        name: "weights moved to another service",
        files: { "route.yaml": [route("chat").host(HOST).to("blue", 80, 0).to("green", 80, 1).manifest()] },
        path: "/",
        expected: names(green),
      }),
      () => ({
        name: "path renamed",
        files: { "route.yaml": [route("chat").host(HOST).prefix(`/room-${number}`).to("green", 80).manifest()] },
        path: `/room-${number}/x`,
        expected: names(green),
      }),
      () => ({
        name: "old path is gone",
        files: { "route.yaml": [route("chat").host(HOST).prefix(`/only-${number}`).to("green", 80).manifest()] },
        path: "/",
        expected: new Set(["404"]),
      }),
      () => {
        const listed = some(green);
        return {
          name: "endpoints of the other service removed",
          files: {
            "green.yaml": endpoints("green", ports(listed)),
            "route.yaml": [route("chat").host(HOST).to("green", 80).manifest()],
          },
          path: "/",
          expected: names(listed),
        };
      },
      () => ({
        name: "service port renamed",
        files: {
          "services.yaml": [service("blue", 80, `p${number}`), service("green", 80)],
          "slices.yaml": endpoints("blue", ports(blue), `p${number}`),
          "green.yaml": endpoints("green", ports(green)),
          "route.yaml": [blueRoute().manifest()],
        },
        path: "/",
        expected: names(blue),
      }),
      () => ({ name: "route deleted", files: { "route.yaml": [] }, path: "/", expected: new Set(["404"]) }),
      () => ({
        name: "route back, with a policy",
        files: {
          "services.yaml": [service("blue", 80), service("green", 80)],
          "slices.yaml": endpoints("blue", ports(blue)),
          "route.yaml": [
            blueRoute()
              .with({ timeouts: { idle: `${60 + number}s` } })
              .manifest(),
          ],
        },
        path: "/",
        expected: names(blue),
      }),
      () => ({ name: "all endpoints gone", files: { "slices.yaml": [] }, path: "/", expected: new Set(["503"]) }),
      () => ({
        name: "another route of the same host",
        files: {
          "slices.yaml": endpoints("blue", ports(blue)),
          "other.yaml": [route(`other-${number}`).host(HOST).prefix("/other").to("green", 80).manifest()],
        },
        path: "/other",
        expected: names(green),
      }),
    ];
    yield kinds[number % kinds.length]!();
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
    for (const change of changes(blue, green, generator(SEED))) {
      if (done++ === options.count) break;
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
