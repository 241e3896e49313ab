import { expect, test } from "vitest";
import { clientRange } from "./client-range.ts";
import type { TunnelFilter } from "./operations.ts";
import { filterInWords, tunnelTest } from "./tunnel-filter.ts";

const FACTS = {
  id: "abc",
  route: "apps/chat",
  rule: "main",
  upstream: "apps/chat:80",
  backend: "10.1.0.1:8010",
  clientAddress: "10.0.0.7",
};
const TIMES = { ageMs: 60_000, idleMs: 1_000 };

test.for<{ name: string; filter: TunnelFilter; picks: boolean }>([
  { name: "nothing asked for picks all", filter: {}, picks: true },
  { name: "its route", filter: { route: "apps/chat" }, picks: true },
  { name: "another route", filter: { route: "apps/cha" }, picks: false },
  { name: "its rule", filter: { rule: "main" }, picks: true },
  { name: "another rule", filter: { rule: "0" }, picks: false },
  { name: "its upstream", filter: { upstream: "apps/chat:80" }, picks: true },
  { name: "another upstream", filter: { upstream: "apps/chat:81" }, picks: false },
  { name: "its backend", filter: { backend: "10.1.0.1:8010" }, picks: true },
  { name: "another port of its backend", filter: { backend: "10.1.0.1:8011" }, picks: false },
  { name: "its id", filter: { id: "abc" }, picks: true },
  { name: "another id", filter: { id: "abd" }, picks: false },
  { name: "its client", filter: { client: "10.0.0.7" }, picks: true },
  { name: "a neighbour of its client", filter: { client: "10.0.0.70" }, picks: false },
  { name: "its client's network", filter: { client: "10.0.0.0/8" }, picks: true },
  { name: "another network", filter: { client: "192.168.0.0/16" }, picks: false },
  { name: "a client that is no address", filter: { client: "me" }, picks: false },
  { name: "as old as asked for", filter: { minAgeMs: 60_000 }, picks: true },
  { name: "younger than asked for", filter: { minAgeMs: 60_001 }, picks: false },
  { name: "idle as long as asked for", filter: { minIdleMs: 1_000 }, picks: true },
  { name: "idle for less than asked for", filter: { minIdleMs: 1_001 }, picks: false },
  { name: "all parts hold", filter: { route: "apps/chat", client: "10.0.0.0/8", minAgeMs: 1 }, picks: true },
  {
    name: "one part of many does not hold",
    filter: { route: "apps/chat", client: "10.0.0.0/8", id: "x" },
    picks: false,
  },
])("$name", ({ filter, picks }) => {
  expect(tunnelTest(filter)(FACTS, TIMES)).toBe(picks);
});

test.for<{ range: string; address: string; holds: boolean | undefined }>([
  { range: "10.0.0.7", address: "10.0.0.7", holds: true },
  { range: "10.0.0.7/32", address: "10.0.0.7", holds: true },
  { range: "10.0.0.7/31", address: "10.0.0.6", holds: true },
  { range: "10.0.0.7/31", address: "10.0.0.8", holds: false },
  { range: "0.0.0.0/0", address: "203.0.113.9", holds: true },
  { range: "0.0.0.0/0", address: "2001:db8::1", holds: false },
  { range: "2001:db8::/32", address: "2001:db8:1::9", holds: true },
  { range: "2001:db8::/32", address: "2001:db9::9", holds: false },
  { range: "2001:DB8:0::1", address: "2001:db8::1", holds: true },
  { range: "::/0", address: "10.0.0.7", holds: false },
  { range: "10.0.0.7/33", address: "10.0.0.7", holds: undefined },
  { range: "::1/129", address: "::1", holds: undefined },
  { range: "10.0.0", address: "10.0.0.7", holds: undefined },
  { range: "10.0.0.0/", address: "10.0.0.7", holds: undefined },
  { range: "10.0.0.0/8/8", address: "10.0.0.7", holds: undefined },
  { range: "fe80::1%eth0", address: "fe80::1", holds: undefined },
  { range: "", address: "", holds: undefined },
])("the range $range, asked for $address: $holds", ({ range, address, holds }) => {
  expect(clientRange(range)?.(address)).toBe(holds);
});

test("a filter is said in words", () => {
  expect(filterInWords({})).toBe("all tunnels");
  expect(filterInWords({ route: "apps/chat", rule: undefined, minIdleMs: 600_000 })).toBe(
    "route apps/chat, idle for (ms) 600000",
  );
});
