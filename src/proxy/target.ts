import { isIPv6 } from "node:net";
import { isDigits } from "./field-syntax.ts";
import { pathFault, queryFault } from "./path-rules.ts";

export type ParsedTarget =
  | {
      readonly ok: true;
      /** As it is matched: lower case, without port and trailing dot; IPv6 in brackets. */
      readonly host: string;
      /** As it was received in Host and is passed on, with its port. */
      readonly authority: string;
      /** Raw; starts with `/`. */
      readonly path: string;
      /** Raw, without `?`. */
      readonly query: string;
      /** The query with its `?`, so that `/x?` stays `/x?`; "" when there is none. */
      readonly search: string;
    }
  | TargetFault;

interface TargetFault {
  readonly ok: false;
  readonly code: "HF_BAD_HOST" | "HF_BAD_PATH" | "HF_BAD_TARGET";
  readonly detail: string;
}

/** DNS names are no longer than this (RFC 1035 2.3.4), dots included. */
const MAX_HOST_CHARS = 255;

/**
 * Host and path of a request, or why they cannot be trusted.
 *
 * Origin-form and absolute-form (RFC 9112 3.2.1, 3.2.2) are read; an absolute target whose authority is not that of Host
 * is refused, although the RFC lets the target win, since the next reader may take the other one. Authority-form and
 * asterisk-form are refused. What is returned as path and query are the bytes received.
 */
export function parseTarget(target: string, hostHeaders: readonly string[]): ParsedTarget {
  const [authority] = hostHeaders;
  if (authority === undefined) return badHost("no Host header");
  if (hostHeaders.length > 1) return badHost("more than one Host header");
  const received = parseAuthority(authority);
  if (received === undefined) return badHost("Host is not a valid host with an optional port");

  const parts = splitTarget(target);
  if (parts === undefined) return { ok: false, code: "HF_BAD_TARGET", detail: "neither a path nor an http URL" };
  if (parts.authority !== undefined && !isSameAuthority(parts.authority, received, parts.defaultPort)) {
    return badHost("the request target names another host than Host");
  }
  return checkPath({ host: received.host, authority, path: parts.path, search: parts.search });
}

function badHost(detail: string): TargetFault {
  return { ok: false, code: "HF_BAD_HOST", detail };
}

function checkPath(parsed: { host: string; authority: string; path: string; search: string }): ParsedTarget {
  const inPath = pathFault(parsed.path);
  if (inPath !== undefined) return { ok: false, code: "HF_BAD_PATH", detail: inPath };
  const inQuery = queryFault(parsed.search);
  if (inQuery !== undefined) return { ok: false, code: "HF_BAD_TARGET", detail: inQuery };
  return { ok: true, ...parsed, query: parsed.search.slice(1) };
}

interface TargetParts {
  readonly authority: string | undefined;
  readonly defaultPort: string;
  readonly path: string;
  readonly search: string;
}

function splitTarget(target: string): TargetParts | undefined {
  if (target.startsWith("/")) return { authority: undefined, defaultPort: "", ...splitQuery(target) };
  // Long enough for "https://"; the scheme is compared in any case (RFC 3986 3.1).
  const scheme = target.slice(0, 8).toLowerCase();
  if (scheme.startsWith("http://")) return splitUrl(target.slice(7), "80");
  if (scheme === "https://") return splitUrl(target.slice(8), "443");
  return undefined;
}

function splitUrl(afterScheme: string, defaultPort: string): TargetParts {
  const end = firstOf(afterScheme, "/?#");
  const authority = afterScheme.slice(0, end);
  const rest = afterScheme.slice(end);
  // An empty path is sent as "/" (RFC 9112 3.2.1).
  return { authority, defaultPort, ...splitQuery(rest.startsWith("/") ? rest : `/${rest}`) };
}

function firstOf(text: string, chars: string): number {
  for (let i = 0; i < text.length; i += 1) if (chars.includes(text.charAt(i))) return i;
  return text.length;
}

function splitQuery(origin: string): { path: string; search: string } {
  const mark = origin.indexOf("?");
  return mark === -1 ? { path: origin, search: "" } : { path: origin.slice(0, mark), search: origin.slice(mark) };
}

interface Authority {
  readonly host: string;
  readonly port: string;
}

function isSameAuthority(ofTarget: string, ofHost: Authority, defaultPort: string): boolean {
  const parsed = parseAuthority(ofTarget);
  if (parsed === undefined || parsed.host !== ofHost.host) return false;
  return (parsed.port || defaultPort) === (ofHost.port || defaultPort);
}

/** `host [":" port]`; user information is no part of Host (RFC 9110 7.2). Undefined = not valid. */
function parseAuthority(authority: string): Authority | undefined {
  const colon = authority.startsWith("[") ? portColonAfterBracket(authority) : authority.indexOf(":");
  if (colon === undefined) return undefined;
  const name = colon === -1 ? authority : authority.slice(0, colon);
  if (colon !== -1 && !isPort(authority.slice(colon + 1))) return undefined;
  const host = name.startsWith("[") ? ipv6Host(name) : registeredHost(name);
  return host === undefined ? undefined : { host, port: colon === -1 ? "" : authority.slice(colon + 1) };
}

/** Where the port's colon stands behind `]`; -1 = no port, undefined = something else stands there. */
function portColonAfterBracket(authority: string): number | undefined {
  const bracket = authority.indexOf("]");
  if (bracket === -1) return undefined;
  if (bracket === authority.length - 1) return -1;
  return authority[bracket + 1] === ":" ? bracket + 1 : undefined;
}

function isPort(text: string): boolean {
  return isDigits(text) && text.length <= 5 && text[0] !== "0" && Number(text) <= 65_535;
}

function ipv6Host(bracketed: string): string | undefined {
  const address = bracketed.slice(1, -1);
  // isIPv6 takes a zone, which means nothing to another machine (RFC 9844).
  return isIPv6(address) && !address.includes("%") ? bracketed.toLowerCase() : undefined;
}

/**
 * A DNS name or an IPv4 address. RFC 3986 allows escapes and sub-delimiters in a registered name; no DNS name has them,
 * and `*` or `,` in Host are read differently by whoever splits on them.
 */
function registeredHost(name: string): string | undefined {
  const host = name.endsWith(".") ? name.slice(0, -1) : name;
  if (host.length > MAX_HOST_CHARS || host.includes("..") || host.startsWith(".") || host.endsWith("."))
    return undefined;
  for (let i = 0; i < host.length; i += 1) if (!isHostChar(host.charCodeAt(i))) return undefined;
  return host === "" ? undefined : host.toLowerCase();
}

/** Letters, digits, `-`, `.`, `_` and `~`. */
function isHostChar(code: number): boolean {
  const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
  const isDigit = code >= 0x30 && code <= 0x39;
  return isLetter || isDigit || code === 0x2d || code === 0x2e || code === 0x5f || code === 0x7e;
}
