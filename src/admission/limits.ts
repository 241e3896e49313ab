import type { AdmissionPolicy } from "../routing/index.ts";

/** The rule takes on whatever comes, and nobody ever waits for it. */
export function isUnlimited(policy: AdmissionPolicy): boolean {
  const { maxTunnels, maxTunnelsPerBackend, handshakesPerSecond, holdSize } = policy;
  return maxTunnels === 0 && maxTunnelsPerBackend === 0 && handshakesPerSecond === 0 && holdSize === 0;
}
