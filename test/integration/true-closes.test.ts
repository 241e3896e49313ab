import { describe, expect, test } from "vitest";
import { tally, eachLibrary, LibraryClients, SKIPPED_LIBRARIES, USED_LIBRARIES } from "./fixtures/close-libraries.ts";
import { CloseStage, fieldsOf } from "./fixtures/close-stage.ts";
import { WS } from "./fixtures/close-ws.ts";
import type { Manifest } from "./fixtures/manifests.ts";

/** Clients of each library. */
const COUNT = 10;
const QUICK_SHUTDOWN = ["--shutdown-grace", "0s", "--shutdown-deadline", "1s"];

interface End {
  readonly name: string;
  readonly fields?: Manifest;
  readonly flags?: readonly string[];
  readonly bring: (stage: CloseStage) => void | Promise<void>;
  readonly by: "backend" | "holdfast";
  readonly cause: string;
  readonly toClient: number;
  /** What the backend sees, as in a tally; undefined = there is nobody left to see it. */
  readonly backendSees: string | undefined;
}

/** What /metrics has to say of an end. */
interface Told {
  readonly cause: string;
  readonly side: "client" | "backend";
  readonly code: number;
}

const ENDS: readonly End[] = [
  {
    name: "a backend process that is killed: 1012",
    bring: (stage) => stage.backend.kill(),
    by: "backend",
    cause: "backend_lost",
    toClient: 1_012,
    backendSees: undefined,
  },
  {
    name: "a backend that ends TCP without Close: 1012, and 1001 where it still listens",
    bring: (stage) => stage.backend.tell("fin"),
    by: "backend",
    cause: "backend_lost",
    toClient: 1_012,
    // It has ended its half and cannot answer.
    backendSees: "1001 unclean",
  },
  {
    name: "a tunnel that is idle: 1001",
    fields: { timeouts: { idle: "400ms" } },
    bring: () => {},
    by: "holdfast",
    cause: "idle",
    toClient: 1_001,
    backendSees: "1001 clean",
  },
  {
    name: "the end of a lifetime: 1001",
    fields: { lifetime: { max: "1s", jitterPercent: 50 } },
    bring: () => {},
    by: "holdfast",
    cause: "lifetime",
    toClient: 1_001,
    backendSees: "1001 clean",
  },
  {
    name: "Holdfast's own end: 1012, and 1001 for the backend",
    flags: QUICK_SHUTDOWN,
    bring: (stage) => void stage.holdfast.process.kill("SIGTERM"),
    by: "holdfast",
    cause: "proxy_shutdown",
    toClient: 1_012,
    backendSees: "1001 clean",
  },
];

async function expectBackendSees(stage: CloseStage, count: number, end: string): Promise<void> {
  await expect.poll(() => tally(stage.backend.closings), { timeout: 10_000 }).toEqual({ [end]: count });
}

async function expectLogged(stage: CloseStage, count: number, fields: Record<string, unknown>): Promise<void> {
  await expect.poll(() => stage.ends.length, { timeout: 10_000 }).toBe(count);
  for (const line of stage.ends) expect(fieldsOf(line, Object.keys(fields))).toEqual(fields);
}

async function expectCounted(stage: CloseStage, count: number, told: Told): Promise<void> {
  await expect.poll(() => stage.endedFor(told.cause)).toBe(count);
  expect(await stage.codesSent(told.side, told.code, told.cause)).toBe(count);
}

describe.for(SKIPPED_LIBRARIES.map(({ name, missing }) => ({ name, missing })))(
  "true closes seen by $name",
  (library) => {
    test.skip(library.missing ?? "", () => {});
  },
);

describe(`true closes seen by ${USED_LIBRARIES.map(({ name }) => name).join(", ")}`, () => {
  const total = COUNT * USED_LIBRARIES.length;

  test.for(ENDS)("$name", async ({ fields = {}, flags = [], bring, by, cause, toClient, backendSees }) => {
    await using stage = await CloseStage.set({ fields, flags });
    await using clients = await LibraryClients.open({ url: stage.url("/still"), count: COUNT, mode: "still" });
    await bring(stage);
    expect(await clients.tallies()).toEqual(eachLibrary({ [`${toClient} clean`]: COUNT }));
    if (backendSees !== undefined) await expectBackendSees(stage, total, backendSees);
    const toBackend = backendSees === undefined ? {} : { codeToBackend: Number.parseInt(backendSees) };
    await expectLogged(stage, total, { by, cause, codeToClient: toClient, midFrame: undefined, ...toBackend });
    if (cause === "proxy_shutdown") expect(await stage.holdfast.exit()).toEqual({ code: 0, signal: null });
    else await expectCounted(stage, total, { cause, side: "client", code: toClient });
  });

  const VANISHED = { by: "client", cause: "client_lost", codeToClient: undefined, codeToBackend: 1_001 };

  test("a client process that is killed: the backend hears 1001", async () => {
    await using stage = await CloseStage.set();
    await using clients = await LibraryClients.open({ url: stage.url("/still"), count: COUNT, mode: "still" });
    await clients.kill();
    await expectBackendSees(stage, total, "1001 clean");
    // A killed process says FIN, as one does that still listens: the backend's answer is sent its way.
    await expectLogged(stage, total, { ...VANISHED, codeToClient: 1_001 });
    await expectCounted(stage, total, { cause: "client_lost", side: "backend", code: 1_001 });
  });

  test("a client that resets its connection: the backend hears 1001", async () => {
    const able = USED_LIBRARIES.filter((library) => library.canReset);
    await using stage = await CloseStage.set();
    await using clients = await LibraryClients.open({ url: stage.url("/still"), count: COUNT, mode: "still" }, able);
    clients.reset();
    await expectBackendSees(stage, COUNT * able.length, "1001 clean");
    await expectLogged(stage, COUNT * able.length, VANISHED);
    await expectCounted(stage, COUNT * able.length, { cause: "client_lost", side: "backend", code: 1_001 });
  });
});

test("lifetimes end spread over their jitter", async () => {
  const count = 200;
  await using stage = await CloseStage.set({ fields: { lifetime: { max: "2s", jitterPercent: 75 } } });
  await using clients = await WS.open({ url: stage.url("/still"), count, mode: "still" });
  expect(tally(await clients.closings())).toEqual({ "1001 clean": count });
  await expect.poll(() => stage.ends.length).toBe(count);
  const ages = stage.ends.map(({ durationMs }) => Number(durationMs)).sort((a, b) => a - b);
  expect(ages[0]).toBeGreaterThanOrEqual(500);
  // From 500 ms to 2 s: each third of that has its share; a third of 200 has 40 or fewer once in 10,000 runs.
  const inThird = (third: number): number =>
    ages.filter((age) => age >= 500 + third * 500 && (age < 1_000 + third * 500 || third === 2)).length;
  for (const third of [0, 1, 2]) expect(inThird(third)).toBeGreaterThan(40);
});
