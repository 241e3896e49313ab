import { describe, expect, test } from "vitest";
import { type ClientLibrary, type CloseClients } from "./fixtures/close-clients.ts";
import { SKIPPED_LIBRARIES, tally } from "./fixtures/close-libraries.ts";
import { chromiumLibrary } from "./fixtures/close-chromium.ts";
import { CloseStage } from "./fixtures/close-stage.ts";
import { WS } from "./fixtures/close-ws.ts";

const SHUTDOWN = ["--shutdown-grace", "0s", "--shutdown-deadline", "2s"];
const CROWDS: readonly { readonly library: ClientLibrary; readonly count: number }[] = [
  { library: WS, count: 1_000 },
  // A browser opens 255 to one place at most, one after the other.
  { library: chromiumLibrary(), count: 120 },
];

const crowds = CROWDS.map(({ library, count }) => ({ name: `${count} in ${library.name}`, library, count }));

/** Small messages have gone both ways on every tunnel. */
async function inFullTalk(stage: CloseStage, count: number): Promise<void> {
  for (const direction of ["up", "down"]) {
    const series = `holdfast_tunnel_messages_total{route="apps/closes",rule="main",direction="${direction}"}`;
    await expect.poll(() => stage.read(series), { timeout: 30_000 }).toBeGreaterThan(2 * count);
  }
}

async function expectAllSee1012(stage: CloseStage, clients: CloseClients, { count, cause }: Crowd): Promise<void> {
  expect(tally(await clients.closings())).toEqual({ "1012 clean": count });
  await expect.poll(() => stage.ends.length, { timeout: 10_000 }).toBe(count);
  for (const line of stage.ends) expect(line).toMatchObject({ cause, codeToClient: 1_012 });
  expect(stage.ends.filter(({ midFrame }) => midFrame === true)).toEqual([]);
}

interface Crowd {
  readonly count: number;
  readonly cause: string;
}

describe.for(crowds)("small messages both ways on $name", ({ library, count }) => {
  const isSkipped = SKIPPED_LIBRARIES.some(({ name }) => name === library.name);

  test.skipIf(isSkipped)("every client sees Holdfast's own end as a clean 1012", async () => {
    await using stage = await CloseStage.set({ flags: SHUTDOWN });
    await using clients = await library.open({ url: stage.url("/chatter"), count, mode: "chatter" });
    await inFullTalk(stage, count);
    stage.holdfast.process.kill("SIGTERM");
    await expectAllSee1012(stage, clients, { count, cause: "proxy_shutdown" });
    await expect.poll(() => tally(stage.backend.closings)).toEqual({ "1001 clean": count });
    expect(await stage.holdfast.exit()).toEqual({ code: 0, signal: null });
  });

  test.skipIf(isSkipped)("every client sees the death of its backend as a clean 1012", async () => {
    await using stage = await CloseStage.set();
    await using clients = await library.open({ url: stage.url("/chatter"), count, mode: "chatter" });
    await inFullTalk(stage, count);
    await stage.backend.kill();
    await expectAllSee1012(stage, clients, { count, cause: "backend_lost" });
    expect(await stage.codesSent("client", 1_012, "backend_lost")).toBe(count);
  });
});
