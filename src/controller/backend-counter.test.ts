import { expect, test } from "vitest";
import type { Endpoint, UpstreamKey } from "../routing/index.ts";
import { BackendCounter } from "./backend-counter.ts";

const key = (name: string): UpstreamKey => `apps/${name}:80` as UpstreamKey;
const endpoint = (address: string, more: Partial<Endpoint> = {}): Endpoint => ({
  address,
  port: 8080,
  podUid: undefined,
  ready: true,
  serving: true,
  terminating: false,
  zones: undefined,
  ...more,
});
const a = [key("a")];
const both = [key("a"), key("b")];

test("ready ones are ready, terminating ones drain whether ready or not, the rest is neither", () => {
  const counter = new BackendCounter();
  counter.set(key("a"), [
    endpoint("10.0.0.1"),
    endpoint("10.0.0.2", { terminating: true }),
    endpoint("10.0.0.3", { ready: false, terminating: true }),
    endpoint("10.0.0.4", { ready: false, serving: false }),
  ]);
  expect(counter.of(a)).toEqual({ ready: 1, draining: 2 });
});

test("says whether the numbers changed, not whether the addresses did", () => {
  const counter = new BackendCounter();
  expect(counter.set(key("a"), [])).toBe(true);
  expect(counter.set(key("a"), [endpoint("10.0.0.1")])).toBe(true);
  expect(counter.set(key("a"), [endpoint("10.0.0.2")])).toBe(false);
});

test("what stands behind two upstreams counts once, and is ready if it is behind one", () => {
  const counter = new BackendCounter();
  counter.set(key("a"), [endpoint("10.0.0.1", { ready: false }), endpoint("10.0.0.2")]);
  counter.set(key("b"), [endpoint("10.0.0.1"), endpoint("10.0.0.2", { ready: false }), endpoint("10.0.0.3")]);
  expect(counter.of(both)).toEqual({ ready: 3, draining: 0 });
});

test("the same address on another port, or of another Pod, is another backend", () => {
  const counter = new BackendCounter();
  counter.set(key("a"), [endpoint("10.0.0.1")]);
  counter.set(key("b"), [endpoint("10.0.0.1", { port: 8081 }), endpoint("10.0.0.1", { podUid: "x" })]);
  expect(counter.of(both)).toEqual({ ready: 3, draining: 0 });
});

test("a sum follows each of its upstreams", () => {
  const counter = new BackendCounter();
  counter.set(key("a"), [endpoint("10.0.0.1")]);
  counter.set(key("b"), [endpoint("10.0.0.2")]);
  expect(counter.of(both).ready).toBe(2);
  counter.set(key("a"), []);
  expect(counter.of(both).ready).toBe(1);
  counter.set(key("b"), []);
  expect(counter.of(both).ready).toBe(0);
  counter.forget(key("b"));
  counter.set(key("b"), [endpoint("10.0.0.3")]);
  expect(counter.of(both).ready).toBe(1);
});

test("nothing is behind no upstream, and behind one that nobody knows", () => {
  const counter = new BackendCounter();
  expect(counter.of([])).toEqual({ ready: 0, draining: 0 });
  expect(counter.of(a)).toEqual({ ready: 0, draining: 0 });
  expect(counter.of(both)).toEqual({ ready: 0, draining: 0 });
});
