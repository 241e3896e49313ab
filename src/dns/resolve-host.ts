import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** Resolves a host name to all its addresses; rejects when it has none. */
export type ResolveHost = (hostname: string) => Promise<readonly { readonly address: string }[]>;

/** As the machine resolves names: its hosts file, then DNS. */
export const resolveHost: ResolveHost = (hostname) => lookup(hostname, { all: true, order: "verbatim" });

/** Addresses of a host that needs no resolving: an address itself, or the loopback (RFC 6761 6.3). */
export function literalAddresses(hostname: string): readonly string[] | undefined {
  if (isIP(hostname) !== 0) return [hostname];
  return /^(?:.+\.)?localhost\.?$/i.test(hostname) ? ["127.0.0.1", "::1"] : undefined;
}
