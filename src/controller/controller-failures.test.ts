import { describe, expect, test } from "vitest";
import { route, run, service, settled, slice, withChat } from "./controller.fixture.ts";

describe("Services", () => {
  test("one that was missing brings its endpoints, and a condition that is met, and no table", async () => {
    const { told, source, clock } = await run((world) => {
      world.source.put("WebSocketRoute", route("chat"));
      world.source.put("EndpointSlice", slice("chat", ["10.0.0.1"]));
    });
    expect(told.take()).toEqual(["apps/chat:80 = []", "table chat.example.com"]);
    expect(told.patches.at(-1)?.conditions).toContainEqual(expect.objectContaining({ reason: "BackendNotFound" }));
    await clock.pass(100);
    source.put("Service", service("chat"));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.1:8080]"]);
    expect(told.patches).toHaveLength(2);
    expect(told.patches.at(-1)?.conditions).not.toContainEqual(expect.objectContaining({ status: "False" }));
  });

  test("a port that is renamed follows its slices", async () => {
    const { told, source } = await run(withChat);
    told.take();
    source.put("Service", service("chat", [{ name: "socket", port: 80 }]));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = []"]);
    source.put("EndpointSlice", slice("chat", ["10.0.0.1"], "socket"));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.1:8080]"]);
  });

  test("one that goes takes its endpoints with it", async () => {
    const { told, source } = await run(withChat);
    told.take();
    source.remove("Service", "apps/chat");
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = []"]);
  });
});

describe("failures", () => {
  test("a table that is refused once comes with the next change, the upstreams of the old one untouched", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.rejectedTables = 1;
    source.put("WebSocketRoute", route("chat", { to: "game", host: "new.example.com" }));
    await settled();
    expect(told.take()).toEqual(["apps/game:80 = []", "refused new.example.com -chat.example.com"]);
    await clock.pass(100);
    source.put("EndpointSlice", slice("game", ["10.0.1.1"]));
    await settled();
    expect(told.take()).toEqual(["table new.example.com -chat.example.com", "apps/chat:80 = forgotten"]);
    expect(told.deltas.map(({ generation }) => generation)).toEqual([1, 3]);
  });

  test("hosts of a refused table are sent again though they are as they were", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.rejectedTables = 1;
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await clock.pass(100);
    source.remove("WebSocketRoute", "apps/a");
    await clock.pass(100);
    expect(told.take()).toEqual(["refused a.example.com", "table -a.example.com"]);
  });

  test("without another change a refused table is tried again later, ever more patiently", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    told.rejectedTables = 3;
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await clock.pass(1000);
    expect(told.take()).toHaveLength(2);
    await clock.pass(1999);
    expect(told.take()).toEqual([]);
    await clock.pass(10_000);
    expect(told.take()).toEqual(["refused a.example.com", "table a.example.com"]);
    await clock.pass(100_000);
    expect(told.take()).toEqual([]);
  });

  test("a status writer that throws is tried again, and holds up no table", async () => {
    const { told, source, clock } = await run((world) => {
      withChat(world);
      world.told.rejectedWrites = 2;
    });
    expect(told.patches).toEqual([]);
    expect(told.builds).toHaveLength(1);
    await clock.pass(100);
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await settled();
    expect(told.take().at(-1)).toBe("table a.example.com");
    await clock.pass(10_000);
    expect(told.patches.map((patch) => patch.route).toSorted()).toEqual(["apps/a", "apps/chat"]);
    expect(told.logged).toHaveLength(2);
  });

  test("a fault of ours in a build is an error in the log, and the last table keeps serving", async () => {
    const { told, source, clock } = await run(withChat);
    await clock.pass(100);
    told.take();
    const list = source.store.list.bind(source.store);
    source.store.list = () => {
      throw new Error("a bug");
    };
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await clock.pass(100);
    expect(told.take()).toEqual([]);
    expect(told.logged).toEqual(["a build failed; the last good table keeps serving"]);
    source.store.list = list;
    source.put("WebSocketRoute", route("b", { to: "chat" }));
    await clock.pass(100);
    expect(told.take()).toEqual(["table a.example.com b.example.com"]);
  });

  test("an end does not wait for a data plane that hangs", async () => {
    const { told, source, abort, ended, clock } = await run(withChat);
    await clock.pass(100);
    told.holdTable = new Promise(() => {});
    source.put("WebSocketRoute", route("a", { to: "chat" }));
    await settled();
    abort.abort();
    await ended;
    source.put("EndpointSlice", slice("chat", ["10.0.0.3"]));
    await settled();
    expect(told.take().at(-1)).toBe("table chat.example.com");
  });
});
