import type { AffinityPolicy } from "../routing/index.ts";
import { type AffinityMark, isAffinityValue } from "../upstream/index.ts";
import { cookiesOf } from "./cookies.ts";
import type { HeaderPair } from "./types.ts";

/** A browser has more than one of a name only where the path of the rule's cookie was changed. */
const MOST_VALUES = 4;
const NONE: readonly string[] = [];

/**
 * What a request says of the backends that it was on. More than one where a browser has the cookie for two paths: that of
 * the longer one comes first (RFC 6265 5.4), however old it is, and we cannot take it away.
 */
export function readAffinity(headers: readonly HeaderPair[], policy: AffinityPolicy | undefined): readonly string[] {
  if (policy === undefined) return NONE;
  return cookiesOf(headers, policy.cookieName).filter(isAffinityValue).slice(0, MOST_VALUES);
}

/**
 * The head of a backend's answer with the cookie that brings the client back to that backend: where the client has none
 * or another, and on every answer where its life counts from the last one (Max-Age, RFC 6265 5.2.2). It stands beside
 * the backend's own cookies, and behind them: of two that are alike the last is kept.
 */
export function withAffinity(
  headers: readonly HeaderPair[],
  policy: AffinityPolicy | undefined,
  mark: AffinityMark | undefined,
): readonly HeaderPair[] {
  if (policy === undefined || mark === undefined || (!mark.isNews && policy.ttlMs === 0)) return headers;
  return [...headers, ["Set-Cookie", cookieText(policy, mark.value)]];
}

function cookieText({ cookieName, path, ttlMs, isSecure, sameSite }: AffinityPolicy, value: string): string {
  const parts = [`${cookieName}=${value}`, `Path=${path}`];
  // Whole seconds; 0 would take the cookie away.
  if (ttlMs > 0) parts.push(`Max-Age=${Math.ceil(ttlMs / 1_000)}`);
  parts.push("HttpOnly");
  if (isSecure) parts.push("Secure");
  parts.push(`SameSite=${sameSite}`);
  return parts.join("; ");
}
