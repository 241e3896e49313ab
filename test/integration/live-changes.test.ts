import { join } from "node:path";
import { expect, test } from "vitest";
import { churn, churnStart } from "./fixtures/churn.ts";
import { serveFolder } from "./fixtures/holdfast.ts";
import { ManifestFolder } from "./fixtures/manifests.ts";
import { NumberedBackend } from "./fixtures/numbered-backend.ts";
import type { ClientReport } from "./fixtures/numbered-client.ts";

const TUNNELS = 200;
const CHANGES = 200;

/** Runs `count` changes of a folder under live tunnels and tells what became of the tunnels. */
async function churnFolder(options: {
  readonly count: number;
  readonly tunnels: number;
  readonly env?: Record<string, string>;
}): Promise<ClientReport[]> {
  const all = await Promise.all(
    Array.from({ length: 8 }, (_, index) => NumberedBackend.start(`${index < 5 ? "blue" : "green"}-${index}`)),
  );
  const [blue, green] = [all.slice(0, 5), all.slice(5)];
  await using folder = await ManifestFolder.create(churnStart(blue, green));
  const { holdfast, http } = await serveFolder(folder.path, options.env === undefined ? {} : { env: options.env });
  try {
    return await churn({ ...options, world: folder, http, blue, green });
  } catch (error) {
    throw new Error(`${String(error)}\n${holdfast.text()}`, { cause: error });
  } finally {
    await holdfast[Symbol.asyncDispose]();
    for (const backend of all) await backend[Symbol.asyncDispose]();
  }
}

test(`${CHANGES} changes of endpoints and routes under ${TUNNELS} live tunnels close none, and lose, double or reorder nothing`, async () => {
  const reports = await churnFolder({ count: CHANGES, tunnels: TUNNELS });
  expect(reports.filter((report) => report.closed !== undefined)).toEqual([]);
  expect(reports.flatMap((report) => report.faults)).toEqual([]);
  expect(reports).toHaveLength(TUNNELS);
});

test("a planted destroy of one socket at an endpoint change is seen", async () => {
  const plant = join(import.meta.dirname, "fixtures/plant-destroy.mjs");
  const reports = await churnFolder({ count: 3, tunnels: 20, env: { NODE_OPTIONS: `--import ${plant}` } });
  expect(reports.filter((report) => report.closed !== undefined).length).toBeGreaterThan(0);
});
