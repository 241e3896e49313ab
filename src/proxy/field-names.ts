import { namesToken, trimSpace } from "./field-syntax.ts";

/**
 * Meant for one hop, in either direction (RFC 9110 7.6.1 with the names that 9110, 9113 and practice add). Credentials
 * for a proxy end here too: this hop is the proxy they are for (RFC 9110 11.7.2).
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/** `name` in lower case. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}

/**
 * Fields that a Connection header cannot nominate away. RFC 9110 7.6.1 forbids senders to name fields that are meant for
 * every recipient; whoever does so wants the backend to see another message than the one that was matched, framed and
 * checked here. Such an option is ignored, the field stays.
 */
const END_TO_END: ReadonlySet<string> = new Set([
  "host",
  "origin",
  "cookie",
  "set-cookie",
  "authorization",
  "www-authenticate",
  "cache-control",
  "content-length",
  "content-type",
  "content-encoding",
  "content-range",
  "location",
  "range",
  "user-agent",
]);

const NONE: ReadonlySet<string> = new Set();

/** The lower-case names that Connection nominates for removal, on top of the fixed hop-by-hop ones. */
export function nominatedNames(connection: readonly string[]): ReadonlySet<string> {
  if (connection.every(isEveryday)) return NONE;
  const names = new Set<string>();
  for (const value of connection) {
    for (const option of value.toLowerCase().split(",")) {
      const name = trimSpace(option);
      if (!END_TO_END.has(name) && !name.startsWith("sec-websocket-")) names.add(name);
    }
  }
  return names;
}

/** Values that almost every request has, for which nothing needs to be built. */
function isEveryday(value: string): boolean {
  return value === "keep-alive" || value === "Upgrade" || value === "keep-alive, Upgrade" || value === "close";
}

/** Names that only Holdfast may say to a backend or a client. `name` in lower case. */
export function isHoldfastName(name: string): boolean {
  return name.startsWith("holdfast-");
}

/**
 * Who a request claims to come from. What a stranger says here is dropped, never extended. Backends behind CGI-like
 * interfaces read `X_Forwarded_For` as `X-Forwarded-For`, so that spelling is dropped as well.
 */
export function isClaimOfOrigin(name: string): boolean {
  switch (name.charCodeAt(0)) {
    case 0x66: // f
    case 0x68: // h
    case 0x76: // v
    case 0x78: // x
      return isClaim(name.includes("_") ? name.replaceAll("_", "-") : name);
    default:
      return false;
  }
}

function isClaim(dashed: string): boolean {
  return (
    dashed.startsWith("x-forwarded-") ||
    dashed === "forwarded" ||
    dashed === "via" ||
    dashed === "x-real-ip" ||
    dashed.startsWith("holdfast-")
  );
}

/** Upgrade in Connection makes the Upgrade header count; without it Upgrade is not for us (RFC 9110 7.8). */
export function hasUpgradeOption(connection: readonly string[]): boolean {
  return namesToken(connection, "upgrade");
}
