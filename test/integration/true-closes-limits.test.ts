import { describe, expect, test } from "vitest";
import type { BackendPath } from "./fixtures/close-backend-process.ts";
import type { ClientMode } from "./fixtures/close-clients.ts";
import { eachLibrary, LibraryClients, tally, USED_LIBRARIES } from "./fixtures/close-libraries.ts";
import { CloseStage, fieldsOf } from "./fixtures/close-stage.ts";
import type { Manifest } from "./fixtures/manifests.ts";

/** Clients of each library. */
const COUNT = 5;
const ALL = COUNT * USED_LIBRARIES.length;

interface Limit {
  readonly name: string;
  readonly frames: Manifest;
  readonly path: BackendPath;
  readonly mode: ClientMode;
  readonly cause: string;
  readonly code: number;
}

const LIMITS: readonly Limit[] = [
  {
    name: "a frame of the backend against RFC 6455, where that is enforced",
    frames: { strictness: "Enforce" },
    path: "/broken",
    mode: "still",
    cause: "protocol_error",
    code: 1_002,
  },
  {
    // `hello`, the greeting, is not above it, and `small talk` is.
    name: "a message of the client above the limit",
    frames: { maxMessageBytes: 5 },
    path: "/still",
    mode: "chatter",
    cause: "message_too_big",
    code: 1_009,
  },
  {
    name: "a message of the backend above the limit",
    frames: { maxMessageBytes: 65_536 },
    path: "/stream",
    mode: "still",
    cause: "message_too_big",
    code: 1_009,
  },
  {
    name: "more messages of the client than the rate allows",
    frames: { messagesPerSecond: 2, onLimit: "Close" },
    path: "/still",
    mode: "chatter",
    cause: "rate_limit",
    code: 1_008,
  },
];

describe(`limits on frames, seen by ${USED_LIBRARIES.map(({ name }) => name).join(", ")}`, () => {
  test.for(LIMITS)("$name: $code to both sides", async ({ frames, path, mode, cause, code }) => {
    await using stage = await CloseStage.set({ fields: { frames } });
    await using clients = await LibraryClients.open({ url: stage.url(path), count: COUNT, mode });
    expect(await clients.tallies()).toEqual(eachLibrary({ [`${code} clean`]: COUNT }));
    await expect.poll(() => tally(stage.backend.closings), { timeout: 10_000 }).toEqual({ [`${code} clean`]: ALL });
    await expect.poll(() => stage.ends.length, { timeout: 10_000 }).toBe(ALL);
    const told = { by: "holdfast", cause, codeToClient: code, codeToBackend: code, midFrame: undefined };
    for (const line of stage.ends) expect(fieldsOf(line, Object.keys(told))).toEqual(told);
    expect(await stage.endedFor(cause)).toBe(ALL);
    for (const side of ["client", "backend"] as const) expect(await stage.codesSent(side, code, cause)).toBe(ALL);
  });

  test("what a limit allows passes", async () => {
    const frames = { strictness: "Enforce", maxMessageBytes: 1_048_576, messagesPerSecond: 10, onLimit: "Close" };
    await using stage = await CloseStage.set({ fields: { frames, lifetime: { max: "2s", jitterPercent: 0 } } });
    await using clients = await LibraryClients.open({ url: stage.url("/stream"), count: COUNT, mode: "chatter" });
    expect(await clients.tallies()).toEqual(eachLibrary({ "1001 clean": COUNT }));
    const found = Object.values(await clients.closings()).flat();
    for (const { messages, corrupt } of found) expect([messages > 1, corrupt]).toEqual([true, 0]);
  });
});
