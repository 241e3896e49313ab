import { expect, test } from "vitest";
import { parseUpstreamKey, ruleId, upstreamKey } from "./index.ts";
import type { UpstreamKey } from "./index.ts";

test("an upstream's key can be taken apart again", () => {
  const key = upstreamKey("apps", "chat", 8010);
  expect(key).toBe("apps/chat:8010");
  expect(parseUpstreamKey(key)).toEqual({ namespace: "apps", service: "chat", port: 8010 });
});

test("a rule's id names its route and itself", () => {
  expect(ruleId("apps/chat", "app")).toBe("apps/chat/app");
});

test.for([{ text: "" }, { text: "apps" }, { text: "apps/chat" }, { text: "apps/chat:http" }, { text: "/chat:1" }])(
  "$text is no upstream key",
  ({ text }) => {
    expect(() => parseUpstreamKey(text as UpstreamKey)).toThrow("not an upstream key");
  },
);
