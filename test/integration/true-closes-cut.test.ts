import { describe, expect, test } from "vitest";
import type { Closing } from "./fixtures/close-clients.ts";
import { eachLibrary, LibraryClients, tally, USED_LIBRARIES } from "./fixtures/close-libraries.ts";
import { CloseStage, fieldsOf } from "./fixtures/close-stage.ts";

/** Clients of each library. */
const COUNT = 5;
const TOTAL = COUNT * USED_LIBRARIES.length;
const MIB = 1024 * 1024;
const SHUTDOWN = ["--shutdown-grace", "0s", "--shutdown-deadline", "1s"];
const DOWN = 'holdfast_tunnel_bytes_total{route="apps/closes",rule="main",direction="down"}';

/** Two messages have reached, on average, every client. */
async function streaming(stage: CloseStage): Promise<void> {
  await expect.poll(() => stage.read(DOWN), { timeout: 30_000, interval: 20 }).toBeGreaterThan(2 * TOTAL * MIB);
}

function expectIntact(found: readonly Closing[]): void {
  expect(found.reduce((all, { corrupt }) => all + corrupt, 0)).toBe(0);
  // Beside the greetings.
  expect(found.reduce((all, { messages }) => all + messages, 0)).toBeGreaterThan(found.length);
}

describe(`1 MiB messages to ${COUNT} clients of each of ${USED_LIBRARIES.map(({ name }) => name).join(", ")}`, () => {
  test("the backend's death cuts them: none is delivered short or wrong, and a cut one ends without Close", async () => {
    await using stage = await CloseStage.set();
    await using clients = await LibraryClients.open({ url: stage.url("/drip"), count: COUNT, mode: "still" });
    await streaming(stage);
    await stage.backend.kill();
    const found = Object.values(await clients.closings()).flat();
    expectIntact(found);
    await expect.poll(() => stage.ends.length, { timeout: 10_000 }).toBe(TOTAL);
    const cut = stage.ends.filter(({ midFrame }) => midFrame === true);
    for (const line of stage.ends) {
      const codeToClient = cut.includes(line) ? undefined : 1_012;
      const told = { cause: "backend_lost", by: "backend", codeToClient };
      expect(fieldsOf(line, Object.keys(told))).toEqual(told);
    }
    expect(cut.length).toBeGreaterThan(0);
    expect(await stage.read("holdfast_tunnels_ended_mid_frame_total")).toBe(cut.length);
    const { "1012 clean": told = 0, ...others } = tally(found);
    expect({ told, others }).toEqual({ told: TOTAL - cut.length, others: { "1006 unclean": cut.length } });
  });

  test("Holdfast's own end waits for their ends: a clean 1012 for each", async () => {
    await using stage = await CloseStage.set({ flags: SHUTDOWN });
    await using clients = await LibraryClients.open({ url: stage.url("/stream"), count: COUNT, mode: "still" });
    await streaming(stage);
    stage.holdfast.process.kill("SIGTERM");
    expect(await clients.tallies()).toEqual(eachLibrary({ "1012 clean": COUNT }));
    expectIntact(Object.values(await clients.closings()).flat());
  });
});
