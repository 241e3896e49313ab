import { describe, expect, test } from "vitest";
import { Backend, buildLoadGenerator, type LoadOrder, measure } from "../../bench/compare/load-generator.ts";
import { findProgram } from "../../bench/peers/programs.ts";

/** Straight to the backend: what the generator says of itself. */
async function straight(command: readonly string[], order: Partial<LoadOrder> = {}) {
  await using backend = await Backend.start([]);
  return await measure({ command, targetPort: backend.port, pids: [process.pid], pin: [], seconds: 20, ...order });
}

describe.skipIf(findProgram("go") === undefined)("the load generator (needs go)", () => {
  test("is built from its sources", { timeout: 120_000 }, () => {
    expect(buildLoadGenerator).not.toThrow();
  });

  test.for([
    { name: "handshakes", command: ["handshakes", "--concurrency", "4", "--seconds", "0.3", "--warmup", "0.1"] },
    { name: "echoes", command: ["echoes", "--tunnels", "5", "--seconds", "0.3", "--warmup", "0.1"] },
    { name: "large echoes", command: ["echoes", "--tunnels", "2", "--bytes", "1048576", "--seconds", "0.5"] },
    { name: "fan-out", command: ["fanout", "--tunnels", "20", "--every", "50", "--seconds", "0.5", "--warmup", "0.1"] },
  ])("measures $name without errors, with latencies in order and CPU time of both", async ({ command }) => {
    const result = await straight(command);
    expect(result.errors).toBe(0);
    expect(result.units).toBeGreaterThan(5);
    const { p50, p99, max } = result.latencyUs;
    expect(p50).toBeGreaterThan(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
    expect(max).toBeGreaterThanOrEqual(p99);
    expect(result.cpuUs.load).toBeGreaterThan(0);
  });

  test("keeps a fixed rate, whatever the answers do", async () => {
    const result = await straight(["echoes", "--tunnels", "10", "--rate", "500", "--seconds", "1", "--warmup", "0.2"]);
    expect(result.perSecond).toBeGreaterThan(400);
    expect(result.perSecond).toBeLessThan(600);
  });

  test("counts bytes of payload, once for each message that came back", async () => {
    const result = await straight(["echoes", "--tunnels", "3", "--bytes", "70000", "--seconds", "0.3"]);
    expect(result.bytes).toBe(result.units * 70_000);
  });

  test("opens idle tunnels and reads the memory before and after", async () => {
    const result = await straight(["idle", "--tunnels", "300", "--settle", "0.1"]);
    expect(result.units).toBe(300);
    expect(result.pssBytes?.before).toBeGreaterThan(1_000_000);
    expect(result.pssBytes?.after).toBeGreaterThan(1_000_000);
  });

  test("says in words what is wrong", async () => {
    await expect(straight(["echoes", "--tunnels", "1"], { targetPort: 1 })).rejects.toThrow(/connection refused/);
    await expect(straight(["echoes", "--bytes", "4"])).rejects.toThrow(/--bytes must be at least 8/);
    await expect(straight(["dance"])).rejects.toThrow(/no command "dance"/);
    await expect(straight(["echoes"], { pids: [4_000_000] })).rejects.toThrow(/no process 4000000/);
  });
});
