import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { onEndSignals, type SignalSource } from "./signals.ts";

test("the first signal begins the end, the second one cuts it short", async () => {
  const source = new EventEmitter();
  const signals = onEndSignals(source as SignalSource);
  expect(signals.received).toBeUndefined();
  source.emit("SIGTERM", "SIGTERM");
  expect(await signals.first).toBe("SIGTERM");
  expect(signals.received).toBe("SIGTERM");
  expect(signals.second.aborted).toBe(false);
  source.emit("SIGINT", "SIGINT");
  expect(signals.second.aborted).toBe(true);
  signals.dispose();
  expect(source.listenerCount("SIGTERM") + source.listenerCount("SIGINT")).toBe(0);
});
