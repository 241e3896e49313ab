import { describe, expect, test } from "vitest";
import { route, run, service, settled, slice, withChat, type World } from "./controller.fixture.ts";

const SOON_MS = 1000;

/** Routes of the statuses that were written since the last call. */
function written({ told }: Pick<World, "told">): string[] {
  return told.patches.splice(0).map((patch) => patch.route);
}

function manyRoutes(count: number): (world: Pick<World, "source">) => void {
  return ({ source }) => {
    for (let index = 0; index < count; index += 1) {
      const name = `r${String(index).padStart(4, "0")}`;
      source.put("WebSocketRoute", route(name));
      source.put("Service", service(name));
      source.put("EndpointSlice", slice(name, ["10.0.0.1"]));
    }
  };
}

describe("what stands", () => {
  test("is put right when somebody else wrote it, without a build", async () => {
    const { told, source, clock } = await run(withChat);
    const [right] = told.patches.splice(0);
    told.clobber("apps/chat", { generation: 0, conditions: [] });
    source.tell({ kind: "statuses" });
    await clock.pass(SOON_MS);
    expect(told.patches).toEqual([expect.objectContaining({ conditions: right?.conditions })]);
    expect(told.builds).toHaveLength(1);
  });

  test("by our own write causes no other when it comes back, however often", async () => {
    const world = await run(withChat);
    expect(written(world)).toEqual(["apps/chat"]);
    for (let time = 0; time < 20; time += 1) {
      world.source.tell({ kind: "statuses" });
      await world.clock.pass(300);
    }
    await world.clock.pass(600_000);
    expect(world.told.writes).toBe(1);
  });

  test("is compared now and then though nobody told of a change", async () => {
    const world = await run(withChat);
    written(world);
    world.told.clobber("apps/chat", undefined);
    await world.clock.pass(60_000);
    expect(written(world)).toEqual(["apps/chat"]);
  });

  test("decides, not what was written once: a writer that found it as it should be writes nothing", async () => {
    const { told, source, clock } = await run((world) => {
      withChat(world);
      world.told.isActive = false;
    });
    const conditions = [
      { type: "Accepted", status: "True", reason: "Accepted", message: "" },
      { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "" },
      { type: "Programmed", status: "True", reason: "Programmed", message: "" },
    ] as const;
    told.clobber("apps/chat", { generation: 0, conditions, backends: { ready: 2, draining: 0 } });
    told.setActive(true);
    source.tell({ kind: "statuses" });
    await clock.pass(SOON_MS);
    expect(told.writes).toBe(0);
  });
});

describe("a writer that is not active", () => {
  test("is given nothing, and all that differs when it becomes active, of the newest graph", async () => {
    const { told, source, clock } = await run((world) => {
      withChat(world);
      world.told.isActive = false;
    });
    source.put("WebSocketRoute", route("chat", { to: "gone" }));
    await clock.pass(100_000);
    expect(told.writes).toBe(0);
    told.setActive(true);
    await settled();
    expect(told.patches.map(({ conditions }) => conditions[1]?.reason)).toEqual(["BackendNotFound"]);
  });

  test("that ceases to be one in the middle of a write is no failure", async () => {
    const { told, clock } = await run(withChat);
    written({ told });
    told.clobber("apps/chat", undefined);
    told.refusedRoutes.add("apps/chat");
    const { promise, resolve } = Promise.withResolvers<void>();
    told.holdWrite = promise;
    await clock.pass(60_000);
    told.setActive(false);
    resolve();
    await clock.pass(600_000);
    expect(told.logged).toEqual([]);
    expect(told.writes).toBe(2);
    told.refusedRoutes.clear();
    told.setActive(true);
    await settled();
    expect(written({ told })).toEqual(["apps/chat"]);
  });
});

describe("counts of backends", () => {
  test("come with the first conditions", async () => {
    const { told } = await run(withChat);
    expect(told.patches).toEqual([expect.objectContaining({ backends: { ready: 2, draining: 0 } })]);
  });

  test("to zero and from zero are written within a second, without a build", async () => {
    const { told, source, clock } = await run(withChat);
    written({ told });
    source.put("EndpointSlice", slice("chat", []));
    await clock.pass(SOON_MS);
    expect(told.patches.splice(0)).toEqual([expect.objectContaining({ backends: { ready: 0, draining: 0 } })]);
    source.put("EndpointSlice", slice("chat", ["10.0.0.9"]));
    await clock.pass(SOON_MS);
    expect(told.patches.splice(0)).toEqual([expect.objectContaining({ backends: { ready: 1, draining: 0 } })]);
    expect(told.builds).toHaveLength(1);
  });

  test("other changes are written twice a minute, the last word in the end", async () => {
    const { told, source, clock } = await run(withChat);
    written({ told });
    for (let second = 0; second < 120; second += 1) {
      const addresses = Array.from({ length: (second % 7) + 2 }, (_, index) => `10.0.0.${index}`);
      source.put("EndpointSlice", slice("chat", addresses));
      await clock.pass(1000);
    }
    expect(told.patches.length).toBeGreaterThanOrEqual(4);
    expect(told.patches.length).toBeLessThanOrEqual(6);
    await clock.pass(60_000);
    expect(told.patches.at(-1)).toMatchObject({ backends: { ready: (119 % 7) + 2 } });
  });

  test("of a thousand routes whose endpoints change all the time make a few hundred writes a minute", async () => {
    const world = await run(manyRoutes(1000));
    const { source, clock } = world;
    expect(written(world)).toHaveLength(1000);
    let change = 0;
    for (let tick = 0; tick < 240; tick += 1) {
      for (let one = 0; one < 25; one += 1) {
        change += 1;
        const name = `r${String((change * 37) % 1000).padStart(4, "0")}`;
        source.put(
          "EndpointSlice",
          slice(
            name,
            Array.from({ length: (change % 5) + 1 }, (_, i) => `10.0.1.${i}`),
          ),
        );
      }
      await clock.pass(500);
    }
    expect(written(world).length).toBeLessThanOrEqual(2 * 60 * 5);
  }, 60_000);
});

describe("many statuses", () => {
  test("go in parts, and the first word about a route goes before new words about others", async () => {
    const world = await run((prepared) => {
      manyRoutes(250)(prepared);
      prepared.told.isActive = false;
    });
    const { told, clock } = world;
    for (let index = 0; index < 250; index += 1) {
      const name = `apps/r${String(index).padStart(4, "0")}`;
      if (name !== "apps/r0249") told.clobber(name, { generation: 0, conditions: [] });
    }
    told.setActive(true);
    await clock.pass(SOON_MS);
    expect(told.writes).toBe(3);
    const all = written(world);
    expect(all[0]).toBe("apps/r0249");
    expect(new Set(all).size).toBe(250);
    expect(all).toHaveLength(250);
  });

  test("one write at a time; what changes meanwhile follows as one", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const world = await run((prepared) => {
      withChat(prepared);
      prepared.told.holdWrite = promise;
    });
    const { told, source, clock } = world;
    for (const name of ["a", "b", "c"]) {
      source.put("WebSocketRoute", route(name, { to: "chat" }));
      await clock.pass(100);
    }
    expect(told.writes).toBe(1);
    resolve();
    await settled();
    expect(told.writes).toBe(2);
    expect(written(world)).toEqual(["apps/chat", "apps/a", "apps/b", "apps/c"]);
  });
});

describe("a status that cannot be written", () => {
  test("is tried again ever more patiently, and holds up no other", async () => {
    const world = await run((prepared) => {
      withChat(prepared);
      prepared.told.refusedRoutes.add("apps/chat");
    });
    const { told, source, clock } = world;
    for (let index = 0; index < 300; index += 1) {
      source.put("EndpointSlice", slice("chat", index % 2 === 0 ? [] : ["10.0.0.1"]));
      await clock.pass(1000);
    }
    expect(told.writes).toBeLessThan(14);
    source.put("WebSocketRoute", route("other", { to: "chat" }));
    await clock.pass(SOON_MS);
    expect(written(world)).toEqual(["apps/other"]);
    told.refusedRoutes.clear();
    await clock.pass(60_000);
    expect(written(world)).toContain("apps/chat");
  });

  test("is tried at once when its owner edits the route", async () => {
    const generation = (number: number): Parameters<World["source"]["put"]>[1] => {
      const object = route("chat");
      return { ...object, metadata: { ...object.metadata, generation: number } } as typeof object;
    };
    const { told, source, clock } = await run((prepared) => {
      prepared.source.put("WebSocketRoute", generation(1));
      prepared.told.refusedRoutes.add("apps/chat");
    });
    await clock.pass(40_000);
    const before = told.writes;
    source.put("WebSocketRoute", generation(2));
    await clock.pass(100);
    expect(told.writes).toBe(before + 1);
  });

  test("since the writer let it be is no endless loop", async () => {
    const world = await run((prepared) => {
      manyRoutes(150)(prepared);
      prepared.told.dropsAll = true;
    });
    await world.clock.pass(600_000);
    expect(world.told.writes).toBeLessThan(60);
    expect(world.told.logged).toEqual([]);
    world.told.dropsAll = false;
    await world.clock.pass(60_000);
    expect(new Set(written(world)).size).toBe(150);
  });
});

test("after the end none begins", async () => {
  const { told, source, clock, abort, ended } = await run(withChat);
  abort.abort();
  await ended;
  told.clobber("apps/chat", undefined);
  source.tell({ kind: "statuses" });
  told.setActive(true);
  await clock.pass(600_000);
  expect(told.writes).toBe(1);
});

describe("after a build", () => {
  const withGame = (world: Pick<World, "source">): void => {
    withChat(world);
    world.source.put("WebSocketRoute", route("game"));
  };
  const editGame = ({ source }: Pick<World, "source">): void =>
    source.put("WebSocketRoute", route("game", { to: "chat", rules: [] }));

  test("the routes it changed have their word at once, and what went wrong with others is found soon after", async () => {
    const world = await run(withGame);
    await world.clock.pass(100);
    written(world);
    world.told.clobber("apps/chat", undefined);
    editGame(world);
    await settled();
    expect(written(world)).toEqual(["apps/game"]);
    await world.clock.pass(15_000);
    expect(written(world)).toEqual(["apps/chat"]);
  });

  test("routes that were edited while a write is under way have their word when it is done", async () => {
    const world = await run(withGame);
    await world.clock.pass(100);
    written(world);
    const { promise, resolve } = Promise.withResolvers<void>();
    world.told.holdWrite = promise;
    editGame(world);
    await world.clock.pass(100);
    world.source.put("WebSocketRoute", route("chat", { to: "gone" }));
    await world.clock.pass(100);
    resolve();
    await settled();
    expect(written(world)).toEqual(["apps/game", "apps/chat"]);
  });

  test("a route whose status cannot be written waits on, though another one was edited", async () => {
    const world = await run((before) => {
      withGame(before);
      before.told.refusedRoutes.add("apps/chat");
    });
    await world.clock.pass(8_000);
    const { writes } = world.told;
    editGame(world);
    world.source.tell({ kind: "statuses" });
    await world.clock.pass(SOON_MS);
    expect(world.told.writes).toBe(writes + 1);
    world.told.refusedRoutes.clear();
    await world.clock.pass(15_000);
    expect(written(world)).toContain("apps/chat");
  });

  test("a change of counts that it brought goes at the pace of counts", async () => {
    const world = await run((before) => {
      withGame(before);
      before.source.put("Service", service("game"));
      before.source.put("EndpointSlice", slice("game", ["10.0.1.1", "10.0.1.2"]));
      before.source.put("Service", service("big"));
      before.source.put("EndpointSlice", slice("big", ["10.0.2.1", "10.0.2.2", "10.0.2.3"]));
      before.source.put("Service", service("empty"));
      // All upstreams are followed from the beginning, so that none brings a look of its own.
      for (const to of ["big", "empty"]) before.source.put("WebSocketRoute", route(`also-${to}`, { to }));
    });
    await world.clock.pass(100);
    written(world);
    const sendGameTo = async (to: string, ms: number): Promise<void> => {
      world.source.put("WebSocketRoute", route("game", { to }));
      await world.clock.pass(100);
      expect(written(world)).toEqual([]);
      await world.clock.pass(ms);
    };
    await sendGameTo("empty", SOON_MS);
    expect(world.told.patches.splice(0)).toMatchObject([{ route: "apps/game", backends: { ready: 0 } }]);
    world.source.put("EndpointSlice", slice("chat", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
    await world.clock.pass(SOON_MS);
    expect(written(world)).toEqual(["apps/chat"]);
    await sendGameTo("big", SOON_MS);
    expect(world.told.patches).toMatchObject([{ route: "apps/game", backends: { ready: 3 } }]);
  });

  test("an edit does not put off the look that another change is due for", async () => {
    const world = await run(withGame);
    await world.clock.pass(100);
    written(world);
    world.source.put("EndpointSlice", slice("chat", []));
    await world.clock.pass(100);
    editGame(world);
    await world.clock.pass(SOON_MS);
    expect(written(world)).toEqual(["apps/game", "apps/chat"]);
  });

  test("an edit while hundreds of routes wait for their first word does not put them off", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const world = await run((before) => {
      manyRoutes(250)(before);
      before.told.holdWrite = promise;
    });
    await world.clock.pass(100);
    world.source.put("WebSocketRoute", route("r0000", { to: "gone" }));
    await world.clock.pass(100);
    resolve();
    await settled();
    expect(new Set(written(world)).size).toBe(250);
  });
});
