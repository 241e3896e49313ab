import { expect, test } from "vitest";
import { ExternalNames } from "./external-names.ts";
import type { HostAnswer } from "./host-follower.ts";

const external = (name: string, host: string, port = 80): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "apps" },
  spec: { type: "ExternalName", externalName: host, ports: [{ port }] },
});
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface World {
  readonly names: ExternalNames;
  /** What was said of each Service, in order. */
  readonly said: string[];
  readonly asked: string[];
  /** Every host that was asked for gets this answer now. */
  readonly answer: (answer: HostAnswer) => Promise<void>;
}

/** Asks once for each host; asking again is done by hand. */
function newWorld(): World {
  const said: string[] = [];
  const asked: string[] = [];
  let waiting: ((answer: HostAnswer) => void)[] = [];
  const timers = new Set<() => void>();
  const names = new ExternalNames({
    resolve: (host) =>
      new Promise((resolve, reject) => {
        asked.push(host);
        waiting.push((answer) => {
          if (answer.ok) resolve(answer.addresses.map((address) => ({ address })));
          else reject(new Error(answer.message));
        });
      }),
    // Bounds of single questions never run out here.
    after: (delayMs, run) => {
      if (delayMs < 10_000) timers.add(run);
      return () => timers.delete(run);
    },
    random: () => 0.5,
    intervalMs: 5000,
    onSlices: (service, slices) => {
      const list = slices.flatMap(({ endpoints, ports }) =>
        endpoints.map(({ addresses }) => `${addresses.join()}:${ports.map(({ port }) => port).join()}`),
      );
      said.push(`${service} = [${list.join(" ")}]`);
      return undefined;
    },
    onTrouble: (service, message) => said.push(`${service} ${message === undefined ? "is well" : "is in trouble"}`),
  });
  return {
    names,
    said,
    asked,
    answer: async (answer) => {
      const due = [...timers];
      for (const run of due) {
        timers.delete(run);
        run();
      }
      await settled();
      for (const reply of waiting.splice(0)) reply(answer);
      waiting = [];
      await settled();
    },
  };
}

const good = (...addresses: string[]): HostAnswer => ({ ok: true, addresses });
const bad: HostAnswer = { ok: false, message: "ENOTFOUND" };

test("a Service that comes while DNS fails gets the last good answer of its host", async () => {
  const { names, said, asked, answer } = newWorld();
  names.set("apps/chat", external("chat", "x.internal"));
  await answer(good("10.0.0.1"));
  await answer(bad);
  said.length = 0;
  names.set("apps/game", external("game", "x.internal"));
  expect(said).toEqual(["apps/game = [10.0.0.1:80]", "apps/game is well"]);
  expect(asked).toEqual(["x.internal", "x.internal"]);
});

test("another host keeps the addresses of the old one until it has answered", async () => {
  const { names, said, answer } = newWorld();
  names.set("apps/chat", external("chat", "x.internal"));
  await answer(good("10.0.0.1"));
  said.length = 0;
  names.set("apps/chat", external("chat", "y.internal"));
  expect(said).toEqual(["apps/chat is well"]);
  await answer(good("10.0.0.2"));
  expect(said.slice(1)).toEqual(["apps/chat = [10.0.0.2:80]", "apps/chat is well"]);
});

test("another port is told at once", async () => {
  const { names, said, answer } = newWorld();
  names.set("apps/chat", external("chat", "x.internal"));
  await answer(good("10.0.0.1"));
  said.length = 0;
  names.set("apps/chat", external("chat", "x.internal", 81));
  expect(said).toEqual(["apps/chat = [10.0.0.1:81]", "apps/chat is well"]);
});

test.for<{ name: string; object: unknown }>([
  { name: "that goes", object: undefined },
  { name: "that is of another type now", object: { ...external("chat", "x"), spec: { type: "ClusterIP" } } },
])("a Service $name loses its addresses, and its host is asked for no more", async ({ object }) => {
  const { names, said, asked, answer } = newWorld();
  names.set("apps/chat", external("chat", "x.internal"));
  await answer(good("10.0.0.1"));
  said.length = 0;
  names.set("apps/chat", object);
  expect(said).toEqual(["apps/chat is well", "apps/chat = []"]);
  await answer(good("10.0.0.2"));
  expect(asked).toHaveLength(1);
  expect(said).toHaveLength(2);
});

test("an answer that comes after its Service is gone says nothing", async () => {
  const { names, said, answer } = newWorld();
  names.set("apps/chat", external("chat", "x.internal"));
  names.set("apps/chat", undefined);
  said.length = 0;
  await answer(good("10.0.0.1"));
  expect(said).toEqual([]);
});
