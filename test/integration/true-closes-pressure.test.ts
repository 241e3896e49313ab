import { describe, expect, test } from "vitest";
import type { ClientMode } from "./fixtures/close-clients.ts";
import { type ByLibrary, eachLibrary, LibraryClients, USED_LIBRARIES } from "./fixtures/close-libraries.ts";
import type { BackendPath } from "./fixtures/close-backend-process.ts";
import { CloseStage } from "./fixtures/close-stage.ts";

/** In all, shared out among the libraries. */
const TOTAL = 40;
const COUNT = Math.ceil(TOTAL / USED_LIBRARIES.length);
const ALL = COUNT * USED_LIBRARIES.length;

interface Pressure {
  readonly name: string;
  readonly path: BackendPath;
  readonly mode: ClientMode;
  readonly direction: "up" | "down";
}

const PRESSURES: readonly Pressure[] = [
  { name: "clients that flood a backend that does not read", path: "/deaf", mode: "flood", direction: "up" },
  { name: "clients that read slowly while the backend floods them", path: "/flood", mode: "slow", direction: "down" },
];

/** Each tunnel has carried so much that the slower side has more than it takes. */
async function underPressure(stage: CloseStage, direction: "up" | "down"): Promise<void> {
  const series = `holdfast_tunnel_bytes_total{route="apps/closes",rule="main",direction="${direction}"}`;
  const enough = ALL * 2 * 1024 * 1024;
  await expect.poll(() => stage.read(series), { timeout: 30_000 }).toBeGreaterThan(enough);
}

/**
 * The codes alone, and that no message was short or wrong: a page that still had to send is told that its close was
 * not clean, whoever closed it and how (HTML, WebSocket closed "cleanly" asks that all was sent).
 */
async function codesAndFaults(clients: LibraryClients): Promise<ByLibrary<readonly number[]>> {
  const found = await clients.closings();
  expect(Object.values(found).flatMap((all) => all.filter(({ corrupt }) => corrupt > 0))).toEqual([]);
  return Object.fromEntries(Object.entries(found).map(([name, all]) => [name, all.map(({ code }) => code)]));
}

/** Where the last frame to the backend had begun and could not end, there is no Close; everywhere else there is. */
async function expectBackendTold(stage: CloseStage): Promise<void> {
  await expect.poll(() => stage.backend.closings.length, { timeout: 30_000 }).toBe(ALL);
  const cut = stage.ends.filter(({ midFrame }) => midFrame === true);
  for (const line of stage.ends) expect(line["codeToBackend"]).toBe(cut.includes(line) ? undefined : 1_001);
  const told = stage.backend.closings.filter(({ code }) => code === 1_001);
  expect(told).toHaveLength(ALL - cut.length);
  expect(stage.backend.closings.filter(({ corrupt }) => corrupt > 0)).toEqual([]);
}

const everyone = (code: number): ByLibrary<readonly number[]> => eachLibrary(Array.from({ length: COUNT }, () => code));

describe.for(PRESSURES)("$name", ({ path, mode, direction }) => {
  test("see the end of a lifetime as 1001", async () => {
    await using stage = await CloseStage.set({ fields: { lifetime: { max: "2s", jitterPercent: 25 } } });
    await using clients = await LibraryClients.open({ url: stage.url(path), count: COUNT, mode });
    expect(await codesAndFaults(clients)).toEqual(everyone(1_001));
    stage.backend.tell("listen");
    await expect.poll(() => stage.ends.length, { timeout: 30_000 }).toBe(ALL);
    for (const line of stage.ends) expect(line).toMatchObject({ cause: "lifetime", codeToClient: 1_001 });
    await expectBackendTold(stage);
  });

  test("see Holdfast's own end as 1012", async () => {
    const flags = ["--shutdown-grace", "0s", "--shutdown-deadline", "1s"];
    await using stage = await CloseStage.set({ flags });
    await using clients = await LibraryClients.open({ url: stage.url(path), count: COUNT, mode });
    await underPressure(stage, direction);
    stage.holdfast.process.kill("SIGTERM");
    expect(await codesAndFaults(clients)).toEqual(everyone(1_012));
    await stage.holdfast.exit();
    for (const line of stage.ends) expect(line).toMatchObject({ cause: "proxy_shutdown", codeToClient: 1_012 });
  });
});
