import { expect, test } from "vitest";
import type { TunnelEnd } from "../relay/index.ts";
import { RuleCounters } from "./rule-counters.ts";

const END: TunnelEnd = {
  by: "client",
  cause: "client_close",
  codeToClient: 1000,
  codeToBackend: 1000,
  midFrame: false,
  forced: false,
  opaque: false,
  clientFaults: undefined,
  backendFaults: undefined,
  roundTripMs: undefined,
  soundMs: 60_000,
  durationMs: 1,
  stats: { bytesUp: 1, bytesDown: 2, messagesUp: 3, messagesDown: 4 },
};

function openedByRule(rules: RuleCounters): string[] {
  return rules.collect([]).map(({ route, rule, opened }) => `${route} ${rule} ${opened}`);
}

test("rules of one name in several routes, and several rules of one route, are counted apart", () => {
  const rules = new RuleCounters();
  for (const route of ["apps/a", "apps/b", "apps/a"]) {
    for (const rule of ["main", "0"]) rules.opened(route, rule);
  }
  expect(openedByRule(rules)).toEqual(["apps/a main 2", "apps/a 0 2", "apps/b main 1", "apps/b 0 1"]);
});

test("a rule that was gone and forgotten counts from nothing when it comes again, its neighbours go on", () => {
  const rules = new RuleCounters();
  for (const rule of ["main", "0"]) rules.opened("apps/a", rule);
  rules.setGone("apps/a/main", true);
  expect(openedByRule(rules)).toEqual(["apps/a main 1", "apps/a 0 1"]);
  expect(openedByRule(rules)).toEqual(["apps/a 0 1"]);
  for (const rule of ["main", "0"]) rules.opened("apps/a", rule);
  expect(openedByRule(rules)).toEqual(["apps/a 0 2", "apps/a main 1"]);
  rules.setGone("apps/a/main", true);
  rules.setGone("apps/a/0", true);
  rules.collect([]);
  expect(rules.collect([])).toEqual([]);
  rules.ended("apps/a", "main", END);
  expect(rules.collect([])).toMatchObject([{ rule: "main", opened: 0, ended: [["client_close", 1]], bytesDown: 2 }]);
});

test("where nobody collects, rules that are gone are kept up to a bound, those with tunnels beyond it", () => {
  const rules = new RuleCounters();
  rules.opened("apps/open", "main");
  rules.setGone("apps/open/main", true);
  for (let i = 0; i < 10_000; i++) {
    rules.opened(`apps/${i}`, "main");
    rules.ended(`apps/${i}`, "main", END);
    rules.setGone(`apps/${i}/main`, true);
  }
  expect(openedByRule(rules)).toEqual(["apps/open main 1"]);
});
