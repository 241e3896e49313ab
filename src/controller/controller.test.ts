import type { ClusterObject } from "./index.ts";
import { describe, expect, test } from "vitest";
import { route, run, service, settled, slice, withChat } from "./controller.fixture.ts";

describe("the first build", () => {
  test("brings endpoints before the table that names them", async () => {
    const { told } = await run(withChat);
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.1:8080 10.0.0.2:8080]", "table chat.example.com"]);
    expect(told.builds).toMatchObject([{ generation: 1, routes: 1, rejectedRoutes: 0, hostsChanged: 1 }]);
    expect(told.patches.map((patch) => patch.route)).toEqual(["apps/chat"]);
  });

  test("of an empty source is live too, and sends no table", async () => {
    const { told } = await run();
    expect(told.take()).toEqual([]);
    expect(told.builds).toMatchObject([{ generation: 0, routes: 0, hostsChanged: 0 }]);
  });

  test("waits for the source, and what changes meanwhile is in it", async () => {
    let start = (): void => {};
    const { told, source } = await run(({ source: slow }) => {
      slow.startsWith = () => new Promise((resolve) => (start = resolve));
    });
    withChat({ source });
    await settled();
    expect(told.take()).toEqual([]);
    start();
    await settled();
    expect(told.take()).toHaveLength(2);
    expect(told.builds).toHaveLength(1);
  });

  test("a source that cannot start ends the run with its words", async () => {
    const { ended } = await run(({ source }) => {
      source.startsWith = () => Promise.reject(new Error("the folder /x does not exist"));
    });
    await expect(ended).rejects.toThrow("the folder /x does not exist");
  });
});

describe("the short road", () => {
  test("brings changed endpoints at once, without a build", async () => {
    const { told, source } = await run(withChat);
    told.take();
    source.put("EndpointSlice", slice("chat", ["10.0.0.3"]));
    await Promise.resolve();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.3:8080]"]);
    await settled();
    expect(told.builds).toHaveLength(1);
  });

  test("several changes of one Service in one turn are told once", async () => {
    const { told, source } = await run(withChat);
    told.take();
    for (const last of [3, 4, 5]) source.put("EndpointSlice", slice("chat", [`10.0.0.${last}`]));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.5:8080]"]);
  });

  test("what resolves to the same list is not told again", async () => {
    const { told, source } = await run(withChat);
    told.take();
    source.put("EndpointSlice", slice("chat", ["10.0.0.2", "10.0.0.1"]));
    await settled();
    expect(told.take()).toEqual([]);
  });

  test("endpoints whose hints alone changed are told again", async () => {
    const { told, source } = await run(withChat);
    const hinted = (zone: string): ClusterObject => {
      const { endpoints, ...rest } = slice("chat", ["10.0.0.1"]) as ClusterObject & { readonly endpoints: object[] };
      return {
        ...rest,
        endpoints: endpoints.map((one) => ({ ...one, hints: { forZones: [{ name: zone }] } })),
      } as never;
    };
    source.put("EndpointSlice", hinted("a"));
    await settled();
    told.take();
    source.put("EndpointSlice", hinted("a"));
    await settled();
    expect(told.take()).toEqual([]);
    source.put("EndpointSlice", hinted("b"));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.1:8080]"]);
  });

  test("a Service that no rule names is not resolved and not built for", async () => {
    const { told, source, clock } = await run(withChat);
    told.take();
    source.put("Service", service("other"));
    source.put("EndpointSlice", slice("other", ["10.0.0.9"]));
    await clock.pass(100);
    expect(told.take()).toEqual([]);
    expect(told.builds).toHaveLength(1);
  });

  test("a storm of 500 endpoint changes does not touch the table", async () => {
    const { told, source, clock } = await run((world) => {
      for (let i = 0; i < 500; i++) {
        world.source.put("WebSocketRoute", route(`app-${i}`));
        world.source.put("Service", service(`app-${i}`));
        world.source.put("EndpointSlice", slice(`app-${i}`, ["10.0.0.1"]));
      }
    });
    told.take();
    for (let i = 0; i < 500; i++) source.put("EndpointSlice", slice(`app-${i}`, ["10.0.0.1", "10.0.0.2"]));
    await clock.pass(1000);
    const lines = told.take();
    expect(lines).toHaveLength(500);
    expect(lines.filter((line) => line.startsWith("table"))).toEqual([]);
    expect(told.builds).toHaveLength(1);
  });

  test("goes on while a table is on its way, for the upstreams it names too", async () => {
    let done = (): void => {};
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.holdTable = new Promise((resolve) => (done = resolve));
    source.put("Service", service("game"));
    source.put("WebSocketRoute", route("game"));
    await settled();
    source.put("EndpointSlice", slice("game", ["10.0.1.1"]));
    source.put("EndpointSlice", slice("chat", ["10.0.0.4"]));
    await settled();
    expect(told.take()).toEqual([
      "apps/game:80 = []",
      "apps/game:80 = [10.0.1.1:8080]",
      "apps/chat:80 = [10.0.0.4:8080]",
    ]);
    done();
    await settled();
    expect(told.take()).toEqual(["table game.example.com"]);
  });

  test("what the data plane did not take is told again with the next change, or a second later", async () => {
    const { told, source, clock } = await run(withChat);
    told.take();
    told.thrownEndpoints = 1;
    source.put("EndpointSlice", slice("chat", ["10.0.0.3"]));
    await settled();
    expect(told.take()).toEqual([]);
    expect(told.logged).toEqual(["endpoints could not be handed over; they will be tried again"]);
    source.put("EndpointSlice", slice("other", ["10.0.0.9"]));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.3:8080]"]);
    told.thrownEndpoints = 1;
    source.put("EndpointSlice", slice("chat", ["10.0.0.4"]));
    await clock.pass(10_000);
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.4:8080]"]);
  });
});

describe("routes", () => {
  test("a new one is built for at once: endpoints, then the table", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    source.put("Service", service("game"));
    source.put("EndpointSlice", slice("game", ["10.0.1.1"]));
    source.put("WebSocketRoute", route("game"));
    await settled();
    expect(told.take()).toEqual(["apps/game:80 = [10.0.1.1:8080]", "table game.example.com"]);
  });

  test("an upstream is forgotten only after the table that no longer names it", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    source.put("Service", service("game"));
    source.put("WebSocketRoute", route("chat", { to: "game" }));
    await settled();
    expect(told.take()).toEqual(["apps/game:80 = []", "table chat.example.com", "apps/chat:80 = forgotten"]);
    source.put("EndpointSlice", slice("chat", ["10.0.0.7"]));
    await settled();
    expect(told.take()).toEqual([]);
  });

  test("a route that goes takes its host with it", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    source.remove("WebSocketRoute", "apps/chat");
    await settled();
    expect(told.take()).toEqual(["table -chat.example.com", "apps/chat:80 = forgotten"]);
  });

  test("a change that changes nothing sends nothing and is not built for", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    withChat({ source });
    await clock.pass(100);
    expect(told.take()).toEqual([]);
    expect(told.builds).toHaveLength(1);
  });

  test("builds of a burst come at once and then every 50 ms at most", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await settled();
    for (const name of ["b", "c", "d"]) source.put("WebSocketRoute", route(name, { to: "chat" }));
    await clock.pass(49);
    expect(told.take()).toEqual(["table a.example.com"]);
    await clock.pass(1);
    expect(told.take()).toEqual(["table b.example.com c.example.com d.example.com"]);
  });

  test("while a table is on its way the next gathers", async () => {
    let done = (): void => {};
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.holdTable = new Promise((resolve) => (done = resolve));
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await settled();
    source.put("WebSocketRoute", route("b", { to: "chat" }));
    await clock.pass(200);
    source.put("WebSocketRoute", route("c", { to: "chat" }));
    await clock.pass(200);
    expect(told.deltas).toHaveLength(2);
    done();
    await settled();
    expect(told.take()).toEqual(["table a.example.com", "table b.example.com c.example.com"]);
    expect(told.deltas.map(({ generation }) => generation)).toEqual([1, 2, 3]);
  });

  test("a broken route harms itself only", async () => {
    const { told } = await run((world) => {
      withChat(world);
      world.source.put("WebSocketRoute", route("bad", { rules: "many" }));
    });
    expect(told.take().at(-1)).toBe("table chat.example.com");
    expect(told.builds).toMatchObject([{ routes: 2, rejectedRoutes: 1 }]);
    expect(told.patches.find((patch) => patch.route === "apps/bad")?.conditions).toContainEqual(
      expect.objectContaining({ type: "Accepted", status: "False" }),
    );
  });
});
