import { describe, expect, test } from "vitest";
import type { DrainPolicy, RulePolicy } from "../routing/index.ts";
import { build, route, service } from "./graph.fixture.ts";

/** What the data thread is told of a rule that says this of drains. */
function compiled(drain: object | undefined): DrainPolicy {
  return policyOf(drain === undefined ? {} : { drain }).drain;
}

function policyOf(fields: object): RulePolicy {
  const rule = { backendRefs: [{ name: "chat", port: 80 }], ...fields };
  const graph = build({
    WebSocketRoute: { "apps/chat": route("chat", { rules: [rule] }) },
    Service: { "apps/chat": service("chat") },
  });
  return graph.hosts.get("chat.example.com")![0]!.rule.policy;
}

const KEPT: DrainPolicy = {
  onBackendRemoval: "Keep",
  onUnready: "Keep",
  onZeroWeight: "Keep",
  withinMs: 25_000,
  perSecond: 0,
  closeCode: 1012,
  closeReason: "",
};

describe("the drain policy of a rule", () => {
  test.for([
    { name: "keeps every tunnel when nothing is said", drain: undefined, want: {} },
    { name: "keeps every tunnel when an empty one is said", drain: {}, want: {} },
    { name: "has the cause removal", drain: { onBackendRemoval: "Close" }, want: { onBackendRemoval: "Close" } },
    { name: "has the cause unready", drain: { onUnready: "Close" }, want: { onUnready: "Close" } },
    { name: "has the cause weight 0", drain: { onZeroWeight: "Close" }, want: { onZeroWeight: "Close" } },
    { name: "has its time in milliseconds", drain: { within: "1m30s" }, want: { withinMs: 90_000 } },
    { name: "has its pace", drain: { perSecond: 7 }, want: { perSecond: 7 } },
    { name: "has the code for the client", drain: { close: { code: 4000 } }, want: { closeCode: 4000 } },
    { name: "has the reason beside the usual code", drain: { close: { reason: "a b" } }, want: { closeReason: "a b" } },
  ] as const)("$name", ({ drain, want }) => {
    expect(compiled(drain)).toEqual({ ...KEPT, ...want });
  });
});

describe("the balancing of a rule", () => {
  const hashing = (hashOn: object): object => ({ algorithm: "ConsistentHash", hashOn });

  test.for([
    { name: "is by tunnels when nothing is said", said: {}, want: { algorithm: "LeastTunnels" } },
    {
      name: "is by tunnels when an empty one is said",
      said: { loadBalancing: {} },
      want: { algorithm: "LeastTunnels" },
    },
    ...["LeastTunnels", "RoundRobin", "Random"].map((algorithm) => ({
      name: `is ${algorithm}`,
      said: { loadBalancing: { algorithm } },
      want: { algorithm },
    })),
    {
      name: "hashes on the address",
      said: { loadBalancing: hashing({ type: "ClientIP" }) },
      want: hashing({ type: "ClientIP" }),
    },
    {
      name: "hashes on a header, whose name is the same in any case",
      said: { loadBalancing: hashing({ type: "Header", name: "X-Room" }) },
      want: hashing({ type: "Header", name: "x-room" }),
    },
    ...["Cookie", "QueryParam"].map((type) => ({
      name: `hashes on a ${type}, whose name is not`,
      said: { loadBalancing: hashing({ type, name: "Room" }) },
      want: hashing({ type, name: "Room" }),
    })),
  ])("$name", ({ said, want }) => {
    expect(policyOf(said).balancing).toEqual(want);
  });
});
