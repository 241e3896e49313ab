import { isIP } from "node:net";
import { listElements } from "./field-syntax.ts";
import type { HeaderPair } from "./types.ts";

/** What a backend is told about where a request came from. */
export interface Provenance {
  readonly clientAddress: string;
  readonly scheme: "http" | "https";
  /** Host as received, with its port; already checked. */
  readonly authority: string;
  readonly httpVersion: string;
  /** This instance's name in Via: `holdfast-<8 hex>`. */
  readonly pseudonym: string;
  /** Via elements of other Holdfast instances that stay in front of ours. */
  readonly hops: readonly string[];
}

/** More Holdfast instances in a row than this are a loop too. */
export const MAX_HOPS = 16;

const HOP_PSEUDONYM = /^holdfast-[0-9a-f]{8}$/;
const PROTOCOL_VERSION = /^\d(\.\d)?$/;

/** Made anew for every request; nothing of what the client said about itself is in them. */
export function forwardedHeaders(provenance: Provenance): HeaderPair[] {
  const { scheme, authority } = provenance;
  const address = plainAddress(provenance.clientAddress);
  return [
    ["X-Forwarded-For", address],
    ["X-Forwarded-Proto", scheme],
    ["X-Forwarded-Host", authority],
    ["Forwarded", `for=${nodeOf(address)};host=${quoted(authority)};proto=${scheme}`],
    ["Via", [...provenance.hops, viaElement(provenance.httpVersion, provenance.pseudonym)].join(", ")],
  ];
}

/** Our own element of Via: the version of the message as received (RFC 9110 7.6.3). */
export function viaElement(httpVersion: string, pseudonym: string): string {
  return `${PROTOCOL_VERSION.test(httpVersion) ? httpVersion : "1.1"} ${pseudonym}`;
}

/** IPv4 inside IPv6, as dual-stack sockets say it, becomes IPv4; a zone is of no use to anyone else and goes. */
function plainAddress(clientAddress: string): string {
  const zone = clientAddress.indexOf("%");
  const address = zone === -1 ? clientAddress : clientAddress.slice(0, zone);
  const family = isIP(address);
  if (family === 0) return "unknown";
  if (family === 4 || !address.toLowerCase().startsWith("::ffff:")) return address;
  const embedded = address.slice("::ffff:".length);
  return isIP(embedded) === 4 ? embedded : address;
}

/** RFC 7239 6: an IPv6 address stands in brackets, and so in quotes; `unknown` is a word of that RFC. */
function nodeOf(address: string): string {
  return address.includes(":") ? `"[${address}]"` : address;
}

/** A port's colon and brackets are no token characters (RFC 7239 4). Host characters need no escape. */
function quoted(authority: string): string {
  return authority.includes(":") ? `"${authority}"` : authority;
}

export interface ViaReading {
  /** Why this request goes in a circle, or undefined. */
  readonly loop: string | undefined;
  readonly hops: readonly string[];
}

const NEVER_FORWARDED: ViaReading = { loop: undefined, hops: [] };

/**
 * Reads Via for loops. Our own pseudonym in any element is one. Elements of other Holdfast instances stay, so that a
 * circle over two of them is seen when it closes; what anybody else has written is dropped.
 */
export function readVia(values: readonly string[], pseudonym: string): ViaReading {
  if (values.length === 0) return NEVER_FORWARDED;
  const hops: string[] = [];
  for (const element of listElements(values)) {
    const [version = "", name = ""] = element.split(/[ \t]+/, 2);
    if (name === pseudonym) return { loop: "Via names this instance", hops };
    if (HOP_PSEUDONYM.test(name)) hops.push(viaElement(version, name));
  }
  if (hops.length >= MAX_HOPS) return { loop: `Via names ${MAX_HOPS} or more Holdfast instances`, hops };
  return { loop: undefined, hops };
}
