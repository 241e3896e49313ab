import { describe, expect, test } from "vitest";
import type { DrainPolicy } from "../routing/index.ts";
import { build, route, service } from "./graph.fixture.ts";

/** What the data thread is told of a rule that says this of drains. */
function compiled(drain: object | undefined): DrainPolicy {
  const rule = { backendRefs: [{ name: "chat", port: 80 }], ...(drain !== undefined && { drain }) };
  const graph = build({
    WebSocketRoute: { "apps/chat": route("chat", { rules: [rule] }) },
    Service: { "apps/chat": service("chat") },
  });
  return graph.hosts.get("chat.example.com")![0]!.rule.policy.drain;
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
