import { expect, test } from "vitest";
import type { DataPlane } from "../controller/index.ts";
import type { UpstreamKey } from "../routing/index.ts";
import { SpreadDataPlane } from "./spread-data-plane.ts";

const CHAT = "apps/chat:80" as UpstreamKey;

/** A data thread that is done with a table when the test says so. */
function thread() {
  const told: unknown[] = [];
  const { promise, resolve: done } = Promise.withResolvers<void>();
  const plane: DataPlane = {
    applyTable: (delta) => {
      told.push(delta);
      return promise;
    },
    setEndpoints: (...update) => void told.push(update),
  };
  return { plane, told, done };
}

test("all threads are told the same, in the same order", () => {
  const threads = [thread(), thread(), thread()];
  const spread = new SpreadDataPlane(threads.map(({ plane }) => plane));
  const delta = { generation: 1, hosts: new Map() };
  spread.setEndpoints(CHAT, []);
  void spread.applyTable(delta);
  spread.setEndpoints(CHAT, null);
  for (const { told } of threads) expect(told).toEqual([[CHAT, []], delta, [CHAT, null]]);
});

test("a table is live when the last thread has it", async () => {
  const threads = [thread(), thread()];
  const spread = new SpreadDataPlane(threads.map(({ plane }) => plane));
  let isLive = false;
  const live = spread.applyTable({ generation: 1, hosts: new Map() }).then(() => (isLive = true));
  threads[0]!.done();
  await new Promise((resolve) => setImmediate(resolve));
  expect(isLive).toBe(false);
  threads[1]!.done();
  await live;
});
