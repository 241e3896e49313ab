import type { LoadResult } from "../../bench/compare/load-generator.ts";
import type { ScenarioName } from "../../bench/compare/scenarios.ts";
import type { Measurement } from "../../bench/compare/statistics.ts";
import type { PeerName } from "../../bench/peers/peer.ts";

/** A result of 1,000 units in one second, with what a test wants otherwise. */
export function loadResult(fields: Partial<LoadResult> = {}): LoadResult {
  return {
    units: 1_000,
    seconds: 1,
    perSecond: 1_000,
    errors: 0,
    latencyUs: { p50: 100, p90: 200, p99: 300, p999: 400, max: 500 },
    bytes: 64_000,
    cpuUs: { watched: 10_000, load: 5_000 },
    tunnels: 100,
    ...fields,
  };
}

/** `cpu("nginx", "handshakes", [50, 60])`: CPU time per unit in round 1, 2, ...; undefined where nothing was measured. */
export function cpu(
  peer: PeerName,
  scenario: ScenarioName,
  perUnit: readonly (number | undefined)[],
): readonly Measurement[] {
  return perUnit.flatMap((value, index) =>
    value === undefined
      ? []
      : [{ round: index + 1, scenario, peer, result: loadResult({ cpuUs: { watched: value * 1_000, load: 1 } }) }],
  );
}
