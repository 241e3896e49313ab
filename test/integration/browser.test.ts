import { chromium, type Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { findChromium } from "./fixtures/chromium-path.ts";
import { proxyTo, serveFolder } from "./fixtures/holdfast.ts";
import { endpoints, ManifestFolder, route, service } from "./fixtures/manifests.ts";

const executablePath = findChromium();
// A missing browser is an error where everything must run, and a skip by name elsewhere.
const isMissing = executablePath === undefined && process.env["CI"] !== "true";

interface Closed {
  readonly code: number;
  readonly wasClean: boolean;
}

describe.skipIf(isMissing)("real Chromium", () => {
  let browser: Browser;
  let backend: ArticleBackend;
  beforeAll(async () => {
    if (executablePath === undefined) throw new Error("no Chromium: run `npm run setup:tests` or set CHROMIUM");
    const args = [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ];
    browser = await chromium.launch({ executablePath, args });
    backend = await ArticleBackend.start(0);
  });
  afterAll(async () => {
    await browser?.close();
    await backend?.[Symbol.asyncDispose]();
  });

  /** Opens `count` sockets in a page served through Holdfast, has each answered once, runs `then`, tells the closes. */
  async function closesSeen(http: string, count: number, then: () => void | Promise<void>): Promise<Closed[]> {
    const page = await browser.newPage();
    try {
      await page.goto(`http://${http}/page`);
      await page.evaluate(
        async ([total, url]) => {
          const scope = globalThis as unknown as { closes: Promise<Closed>[]; sockets: WebSocket[] };
          const sockets = Array.from({ length: total }, () => new WebSocket(url));
          scope.sockets = sockets;
          scope.closes = sockets.map(
            (socket) =>
              new Promise((resolve) =>
                socket.addEventListener("close", (event) => resolve({ code: event.code, wasClean: event.wasClean })),
              ),
          );
          await Promise.all(
            sockets.map(
              (socket) =>
                new Promise<void>((resolve, reject) => {
                  socket.addEventListener("open", () => socket.send("hello"));
                  socket.addEventListener("message", () => resolve());
                  socket.addEventListener("error", () => reject(new Error("socket failed")));
                }),
            ),
          );
        },
        [count, `ws://${http}/`] as const,
      );
      await then();
      return await page.evaluate(() => Promise.all((globalThis as unknown as { closes: Promise<Closed>[] }).closes));
    } finally {
      await page.close();
    }
  }

  test("its own close is clean", async () => {
    const { holdfast, http } = await proxyTo([`127.0.0.1:${backend.port}`]);
    await using _ = holdfast;
    const page = await browser.newPage();
    await page.goto(`http://${http}/page`);
    const closed = await page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const socket = new WebSocket(url);
          socket.addEventListener("open", () => socket.close(4321, "enough"));
          socket.addEventListener("close", (event) => resolve({ code: event.code, wasClean: event.wasClean }));
        }),
      `ws://${http}/`,
    );
    expect(closed).toEqual({ code: 4321, wasClean: true });
    await page.close();
  });

  test("Holdfast's own end is a clean 1012 on every socket", async () => {
    const { holdfast, http } = await proxyTo(
      [`127.0.0.1:${backend.port}`],
      ["--shutdown-grace", "0s", "--shutdown-deadline", "2s"],
    );
    await using _ = holdfast;
    const closes = await closesSeen(http, 20, () => void holdfast.process.kill("SIGTERM"));
    expect(closes).toEqual(Array.from({ length: 20 }, () => ({ code: 1012, wasClean: true })));
    expect(await holdfast.exit()).toEqual({ code: 0, signal: null });
  });

  test("an idle end and the end of a lifetime are a clean 1001", async () => {
    for (const fields of [{ timeouts: { idle: "300ms" } }, { lifetime: { max: "300ms" } }]) {
      await using folder = await ManifestFolder.create({
        "all.yaml": [
          service("echo", 80),
          ...endpoints("echo", [backend.port]),
          route("echo").with(fields).to("echo", 80).manifest(),
        ],
      });
      const { holdfast, http } = await serveFolder(folder.path);
      await using _ = holdfast;
      expect(await closesSeen(http, 3, () => {})).toEqual(
        Array.from({ length: 3 }, () => ({ code: 1001, wasClean: true })),
      );
    }
  });
});
