import { expect, test } from "vitest";
import { DrainWorld } from "./drain.fixture.ts";
import { OrderedDrains, PROCESS_DRAIN, type ProcessOrders } from "./ordered-drains.ts";

const ORDERS: ProcessOrders = { withinMs: 10_000, graceMs: 3_000, perSecond: 0, closeCode: 1012, closeReason: "" };

function setUp(): { world: DrainWorld; drains: OrderedDrains } {
  const world = new DrainWorld();
  const { wheel, now, observer, tunnels } = world;
  const backends = { cordon: () => {}, uncordon: () => {} };
  const drains = new OrderedDrains({ wheel, now, observer, tunnels, random: () => 0.5, backends });
  world.onEnded = (tunnel) => drains.ended(tunnel);
  return { world, drains };
}

const stateOf = (drains: OrderedDrains): string | undefined =>
  [...drains.facts()].find(({ id }) => id === PROCESS_DRAIN)?.state;

test("a process without tunnels is not drained before the grace is over: until then some may open", async () => {
  const { world, drains } = setUp();
  drains.drainProcess(ORDERS);
  let isOver = false;
  void drains.whenOver(PROCESS_DRAIN)?.then(() => (isOver = true));
  world.pass(2_900);
  await Promise.resolve();
  expect([stateOf(drains), drains.isRefusing, isOver]).toEqual(["running", false, false]);
  world.pass(200);
  await Promise.resolve();
  expect([stateOf(drains), drains.isRefusing, isOver]).toEqual(["done", true, true]);
  expect(world.wheel.size).toBe(0);
});

test("one that opens in the grace is closed within the time, and only then it is done", () => {
  const { world, drains } = setUp();
  drains.drainProcess(ORDERS);
  world.pass(1_000);
  drains.opened(world.open());
  world.pass(2_100);
  expect(stateOf(drains)).toBe("running");
  world.pass(6_000);
  expect([stateOf(drains), world.closed.length]).toEqual(["done", 1]);
});

test("tunnels that are gone early do not end it before the grace", () => {
  const { world, drains } = setUp();
  const tunnel = world.open();
  drains.drainProcess(ORDERS);
  world.end(tunnel);
  expect(stateOf(drains)).toBe("running");
  world.pass(3_100);
  expect(stateOf(drains)).toBe("done");
});

test("new orders without a grace end it at once", () => {
  const { world, drains } = setUp();
  drains.drainProcess(ORDERS);
  world.pass(1_000);
  drains.drainProcess({ ...ORDERS, graceMs: 0 });
  expect([stateOf(drains), drains.isRefusing]).toEqual(["done", true]);
  expect(world.wheel.size).toBe(0);
});

test("when the process ends anyway, an order to drain it is answered with that end, and nothing else begins", () => {
  const { world, drains } = setUp();
  world.openMany(10);
  drains.shutDown(5_000);
  expect(drains.drainProcess(ORDERS)).toMatchObject({ id: "shutdown", waiting: 10 });
  expect([...drains.facts()]).toHaveLength(1);
  expect(drains.isRefusing).toBe(false);
  world.pass(5_000);
  expect(world.closed.map(({ cause }) => cause)).toEqual(Array.from({ length: 10 }, () => "proxy_shutdown"));
});
