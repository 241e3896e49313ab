import { describe, expect, test } from "vitest";
import { route, run, service, settled, slice, withChat, type World } from "./controller.fixture.ts";

const MANY = 20;

/** A running controller for which everything takes time, and a table that is live. */
async function slowWorld(prepare: (world: Pick<World, "source">) => void): Promise<World> {
  const world = await run(prepare);
  await world.clock.pass(100);
  world.told.take();
  world.clock.msPerLook = 1;
  return world;
}

/** `MANY` routes, each with a Service of its own that has one endpoint. */
function putRoutes({ source }: Pick<World, "source">, edit: string): void {
  for (let i = 0; i < MANY; i += 1) {
    source.put("WebSocketRoute", route(`${edit}-${i}`, { host: `h${i}.example.com` }));
    source.put("Service", service(`${edit}-${i}`));
    source.put("EndpointSlice", slice(`${edit}-${i}`, ["10.0.1.1"]));
  }
}

const tablesIn = (lines: readonly string[]): readonly string[] => lines.filter((line) => line.startsWith("table"));

describe("while a build takes long", () => {
  test("an endpoint change is told before it is done, and the table comes all at once", async () => {
    const { told, source, clock } = await slowWorld(withChat);
    putRoutes({ source }, "new");
    await settled();
    expect(told.take()).toEqual([]);
    source.put("EndpointSlice", slice("chat", ["10.0.0.9"]));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.9:8080]"]);
    await clock.pass(1000);
    const lines = told.take();
    expect(lines.filter((line) => line.includes("= [10.0.1.1:8080]"))).toHaveLength(MANY);
    expect(tablesIn(lines)).toHaveLength(1);
    expect(lines.at(-1)?.split(" ")).toHaveLength(1 + MANY);
  });

  test("endpoints of many new upstreams leave room for a change, too", async () => {
    const { told, source, clock } = await slowWorld(withChat);
    putRoutes({ source }, "new");
    await settled();
    let told1 = told.take();
    while (told1.length === 0) {
      await clock.pass(1);
      told1 = told.take();
    }
    expect(told1.length).toBeLessThan(MANY);
    source.put("EndpointSlice", slice("chat", ["10.0.0.9"]));
    await settled();
    expect(told.take()).toEqual(["apps/chat:80 = [10.0.0.9:8080]"]);
  });

  test("a host that moves to another route meanwhile is at every time with one of them", async () => {
    const { told, source, clock } = await slowWorld((world) => {
      withChat(world);
      world.source.put("WebSocketRoute", route("a", { host: "moving.example.com" }));
      world.source.put("WebSocketRoute", route("b", { host: "b.example.com" }));
    });
    putRoutes({ source }, "new");
    await settled();
    source.put("WebSocketRoute", route("a", { host: "a.example.com" }));
    source.put("WebSocketRoute", route("b", { host: "moving.example.com" }));
    await clock.pass(1000);
    const lists = told.deltas.flatMap(({ hosts }) =>
      hosts.has("moving.example.com") ? [hosts.get("moving.example.com")] : [],
    );
    expect(lists.map((entries) => entries?.map(({ rule }) => rule.route))).toEqual([["apps/a"], ["apps/b"]]);
  });

  test("the end of the run does not wait for it", async () => {
    const { told, source, abort, ended } = await slowWorld(withChat);
    putRoutes({ source }, "new");
    await settled();
    abort.abort();
    await ended;
    expect(told.take()).toEqual([]);
  });
});
