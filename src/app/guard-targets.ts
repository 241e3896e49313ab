import { networkInterfaces } from "node:os";
import { type ForbiddenCheck, forbiddenTargets, type OwnListener } from "../proxy/index.ts";
import type { SourceConfig } from "./config.ts";

/**
 * Whoever writes EndpointSlices in a cluster must not reach what only this machine may (the admin port, the node's own
 * services). Who writes manifests into a folder is the operator himself, and loopback is what he means.
 */
export function guardTargets(
  source: SourceConfig,
  ownListeners: () => readonly OwnListener[],
): ForbiddenCheck | undefined {
  if (source.kind !== "kubernetes") return undefined;
  return forbiddenTargets({ ownListeners, ownAddresses, now: () => performance.now() });
}

/** Of every interface of this machine or Pod. */
function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}
