import { describe, expect, test } from "vitest";
import { build, conditionOf, type Objects, route, service } from "./graph.fixture.ts";
import { newGraphCache } from "./index.ts";

const backendRefs = [{ name: "chat", port: 80 }];
const affinity = { cookie: {} };
const matches = (value: string) => [{ path: { value } }];
const OLD = { creationTimestamp: "2026-01-01T00:00:00Z" };
const NEW = { creationTimestamp: "2026-02-01T00:00:00Z" };
const KEYLESS = { affinity: "Keyless" } as const;

function objectsOf(spec: object): Objects {
  return { WebSocketRoute: { "apps/chat": route("chat", spec) }, Service: { "apps/chat": service("chat") } };
}

const BINDING = objectsOf({
  rules: [
    { backendRefs, matches: matches("/a") },
    { backendRefs, matches: matches("/b"), affinity },
    { backendRefs, matches: matches("/c"), affinity },
  ],
});

describe("a route with affinity", () => {
  test("where there is a key, is as any other", () => {
    expect(conditionOf(build(BINDING), "apps/chat", "Programmed")).toMatchObject({ status: "True", message: "" });
  });

  test("without a key is served, and its condition names the rules and says what to do", () => {
    const graph = build(BINDING, newGraphCache(), KEYLESS);
    const condition = conditionOf(graph, "apps/chat", "Programmed");
    expect(condition).toMatchObject({ status: "True", reason: "AffinityWithoutKey" });
    expect(condition.message).toMatch(/^spec\.rules\[1\]\.affinity, spec\.rules\[2\]\.affinity: .*--affinity-key/);
    expect(conditionOf(graph, "apps/chat", "ResolvedRefs").status).toBe("True");
    expect(graph.hosts.get("chat.example.com")).toHaveLength(3);
  });

  test("without a key tells of a missing Service besides", () => {
    const graph = build({ ...BINDING, Service: {} }, newGraphCache(), KEYLESS);
    expect(conditionOf(graph, "apps/chat", "ResolvedRefs").reason).toBe("BackendNotFound");
    expect(conditionOf(graph, "apps/chat", "Programmed").reason).toBe("AffinityWithoutKey");
  });

  test("tells of matches that it lost first, and of the key once they are its own", () => {
    const rules = [{ name: "main", backendRefs, matches: matches("/"), affinity }];
    const both: Objects = {
      WebSocketRoute: { "apps/old": route("old", { rules }, OLD), "apps/new": route("new", { rules }, NEW) },
      Service: { "apps/chat": service("chat") },
    };
    const cache = newGraphCache();
    expect(conditionOf(build(both, cache, KEYLESS), "apps/new", "Programmed").reason).toBe("Conflict");
    const alone = { ...both, WebSocketRoute: { "apps/new": both.WebSocketRoute?.["apps/new"] } };
    expect(conditionOf(build(alone, cache, KEYLESS), "apps/new", "Programmed").reason).toBe("AffinityWithoutKey");
  });

  test("that is not accepted is told that alone", () => {
    const broken = objectsOf({ rules: [{ backendRefs: [{ name: "chat", port: 0 }], affinity }] });
    expect(conditionOf(build(broken, newGraphCache(), KEYLESS), "apps/chat", "Programmed").reason).toBe("Invalid");
  });

  test("follows the flag from one build to the next", () => {
    const cache = newGraphCache();
    build(BINDING, cache, KEYLESS);
    expect(conditionOf(build(BINDING, cache), "apps/chat", "Programmed").reason).toBe("Programmed");
  });
});

test("a route without affinity needs no key", () => {
  const plain = objectsOf({ rules: [{ backendRefs }] });
  expect(conditionOf(build(plain, newGraphCache(), KEYLESS), "apps/chat", "Programmed").reason).toBe("Programmed");
});
