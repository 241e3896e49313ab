import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { serveFolder } from "./fixtures/holdfast.ts";
import { endpointSlices, ManifestFolder, route, service } from "./fixtures/manifests.ts";
import { NumberedBackend } from "./fixtures/numbered-backend.ts";
import { landing, NumberedClient } from "./fixtures/numbered-client.ts";
import { exchange } from "./fixtures/raw.ts";
import { scrape, valueOf } from "./fixtures/scrape.ts";

const HOST = "chat.example.com";
const PLANT = join(import.meta.dirname, "fixtures/plant-control-fault.mjs");
const RULE = 'route="apps/chat",rule="main"';
const SLOW = { timeout: 20_000 };

let faults: string;
beforeEach(async () => {
  faults = await mkdtemp(join(tmpdir(), "holdfast-faults-"));
});
afterEach(async () => {
  await rm(faults, { recursive: true });
});

test("when the control thread crashes the last table is served, changes are followed again, and no tunnel ends", async () => {
  await using blue = await NumberedBackend.start("blue-0");
  await using green = await NumberedBackend.start("green-0");
  const routeTo = (name: string) => route("chat").host(HOST).to(name, 80).manifest();
  await using folder = await ManifestFolder.create({
    "services.yaml": [service("blue", 80), service("green", 80)],
    "slices.yaml": endpointSlices("blue", [blue]),
    "green.yaml": endpointSlices("green", [green]),
    "route.yaml": [routeTo("blue")],
  });
  const env = { NODE_OPTIONS: `--import ${PLANT}`, PLANT_FAULTS: faults };
  const { holdfast, http, admin } = await serveFolder(folder.path, { env });
  await using _ = holdfast;
  const url = `ws://${http}/`;
  const clients = await Promise.all(Array.from({ length: 20 }, () => NumberedClient.open(url, HOST)));

  await writeFile(join(faults, "throw"), "");
  const failed = await holdfast.line(({ msg }) => msg === "the control thread failed");
  expect(JSON.stringify(failed)).toContain("planted in the control thread");
  expect(await landing(url, HOST)).toBe("blue-0");
  expect(await exchange(admin, "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).toContain(" 200 ");

  await folder.write("route.yaml", [routeTo("green")]);
  await expect.poll(() => landing(url, HOST), SLOW).toBe("green-0");
  await folder.write("route.yaml", [routeTo("blue")]);
  await expect.poll(() => landing(url, HOST), SLOW).toBe("blue-0");
  const text = await scrape(admin);
  expect(valueOf(text, "holdfast_control_thread_restarts_total")).toBe(1);
  expect(valueOf(text, `holdfast_tunnels_opened_total{${RULE}}`)).toBeGreaterThanOrEqual(22);
  const reports = await Promise.all(clients.map((client) => client.finish()));
  expect(reports.filter(({ closed, faults: wrong }) => closed !== undefined || wrong.length > 0)).toEqual([]);
});
