import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { AFFINITY, AffinityStage } from "./fixtures/affinity-stage.ts";
import { BrowserClient, isBrowserMissing, launchBrowser } from "./fixtures/browser-clients.ts";
import type { Manifest } from "./fixtures/manifests.ts";
import { homesOf, SessionBackend } from "./fixtures/session-backend.ts";

const CLIENTS = 6;
const MESSAGES = 5;

describe.skipIf(isBrowserMissing)("SockJS in Chromium", () => {
  let browser: Browser;
  let backends: readonly SessionBackend[] = [];
  let stage: AffinityStage;
  beforeAll(async () => {
    backends = await SessionBackend.startAll(["a", "b", "c"]);
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    for (const backend of backends) await backend[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await stage[Symbol.asyncDispose]();
  });

  async function serve(fields: Manifest): Promise<string> {
    stage = await AffinityStage.open(backends, fields);
    return (await stage.serve()).http;
  }

  async function open(http: string): Promise<BrowserClient> {
    return stage.stack.use(await BrowserClient.open(browser, http, "sockjs.js"));
  }

  test.for(["websocket", "xhr-streaming", "xhr-polling"])(
    `${CLIENTS} clients by %s have one backend each for a whole session, and for the next one`,
    async (transport) => {
      const before = await homesOf(backends);
      const http = await serve(AFFINITY);
      const clients = await Promise.all(Array.from({ length: CLIENTS }, () => open(http)));
      const first = await Promise.all(clients.map((client) => client.sockJs(transport, MESSAGES)));
      const second = await Promise.all(clients.map((client) => client.sockJs(transport, MESSAGES)));
      const names = first.map(({ said }) => said[0]!.split(":")[0]!);
      expect(new Set(names)).toEqual(new Set(["a", "b", "c"]));
      const wanted = names.map((name) => ({
        transport,
        said: Array.from({ length: MESSAGES }, (_, index) => `${name}: ${index}`),
        lost: "",
      }));
      expect(first).toEqual(wanted);
      expect(second).toEqual(wanted);
      const met = [...(await homesOf(backends))].filter(([session]) => !before.has(session));
      expect(met).toHaveLength(2 * CLIENTS);
      expect(met.filter(([, homes]) => homes.size !== 1)).toEqual([]);
    },
  );

  test.for(["xhr-streaming", "xhr-polling"])("without affinity a session by %s is lost", async (transport) => {
    const http = await serve({});
    const client = await open(http);
    expect(await client.sockJs(transport, MESSAGES)).toMatchObject({ lost: expect.stringMatching(/\d+/) });
    expect([...(await homesOf(backends)).values()].filter((homes) => homes.size > 1)).not.toEqual([]);
  });
});
