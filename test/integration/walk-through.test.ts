import { get } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { HoldfastProcess, proxyTo } from "./fixtures/holdfast.ts";
import { typeIntoWscat } from "./fixtures/wscat.ts";

/** The walk-through of the classic article on WebSocket proxying, with Holdfast in NGINX's place. */
describe("the walk-through of the classic article", () => {
  let first: ArticleBackend;
  let second: ArticleBackend;
  beforeAll(async () => {
    first = await ArticleBackend.start(8010);
    second = await ArticleBackend.start(8011);
  });
  afterAll(async () => {
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
  });

  test("a server on 8010, Holdfast on 8020, and a line typed into wscat is answered", async () => {
    await using holdfast = new HoldfastProcess(
      ["proxy", "--to", `127.0.0.1:${first.port}`, "--http", "127.0.0.1:8020", "--admin", "off"],
      {},
    );
    const address = await holdfast.address("http").catch(() => undefined);
    // Where another program has port 8020, the rest of this file still shows everything on free ports.
    if (address === undefined) expect(holdfast.text()).toMatch(/EADDRINUSE|in use/);
    else
      expect(await typeIntoWscat("ws://127.0.0.1:8020", "Konnichiwa")).toBe("Server received from client: Konnichiwa");
  });

  test("two backends answer in turn", async () => {
    const { holdfast, http } = await proxyTo([`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`]);
    await using _ = holdfast;
    const before = [first.handshakes.length, second.handshakes.length];
    for (let round = 0; round < 4; round++) {
      expect(await typeIntoWscat(`ws://${http}`, `hello ${round}`)).toContain(`hello ${round}`);
    }
    expect([first.handshakes.length - before[0]!, second.handshakes.length - before[1]!]).toEqual([2, 2]);
  });

  test("a location /wsapp/ reaches the backend with the prefix kept, and nothing else does", async () => {
    const { holdfast, http } = await proxyTo([`127.0.0.1:${first.port}`], ["--path", "/wsapp/"]);
    await using _ = holdfast;
    expect(await typeIntoWscat(`ws://${http}/wsapp/`, "inside")).toContain("inside");
    expect(first.handshakes.at(-1)?.url).toBe("/wsapp/");
    await expect(typeIntoWscat(`ws://${http}/other`, "outside")).rejects.toThrow(/404/);
  });

  test("a location /wsapp/ with a rewrite reaches the backend without the prefix", async () => {
    const { holdfast, http } = await proxyTo([`127.0.0.1:${first.port}`], ["--path", "/wsapp/", "--rewrite", "/"]);
    await using _ = holdfast;
    expect(await typeIntoWscat(`ws://${http}/wsapp/room/7?user=kim`, "rewritten")).toContain("rewritten");
    expect(first.handshakes.at(-1)?.url).toBe("/room/7?user=kim");
  });

  test("the Host header is passed on with its port, and the forwarded headers tell the client", async () => {
    const { holdfast, http } = await proxyTo([`127.0.0.1:${first.port}`]);
    await using _ = holdfast;
    await typeIntoWscat(`ws://${http}/`, "host", ["--header", "X-Forwarded-For: 203.0.113.9"]);
    expect(first.handshakes.at(-1)?.headers).toMatchObject({
      host: http,
      upgrade: "websocket",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-host": http,
      "x-forwarded-proto": "http",
    });
  });

  test("plain HTTP is served beside it on the same port", async () => {
    const { holdfast, http } = await proxyTo([`127.0.0.1:${first.port}`]);
    await using _ = holdfast;
    const body = await new Promise<string>((resolve, reject) => {
      get(`http://${http}/page?x=1`, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve(`${response.statusCode} ${text}`));
      }).on("error", reject);
    });
    expect(body).toBe(`200 plain GET /page?x=1 from ${first.port}\n`);
  });
});
