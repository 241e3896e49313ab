import { isIPv6 } from "node:net";
import type { ListenAddress, ProxyTarget } from "./config.ts";

/** A flag's value is not what it must be; the message says what it must be. */
export class FlagValueError extends Error {
  override readonly name = "FlagValueError";
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `15s`, `500ms`, `1m30s`, `0s` → milliseconds. As Gateway API writes durations, up to 24 days (a timer's limit). */
export function parseDuration(text: string): number {
  if (!/^([0-9]{1,5}(h|ms|s|m)){1,4}$/.test(text)) {
    throw new FlagValueError("Allowed are durations such as 500ms, 15s, 1m30s or 1h.");
  }
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) {
    totalMs += Number(count) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  if (totalMs > 0x7fff_ffff) throw new FlagValueError("Allowed are durations up to 596h.");
  return totalMs;
}

/** A duration that may not be 0. */
export function parsePositiveDuration(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs === 0) throw new FlagValueError("Allowed are durations longer than 0, such as 500ms or 15s.");
  return durationMs;
}

/** A whole number in a range, both ends included. */
export function parseInteger(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^[0-9]{1,15}$/.test(text) || value < min || value > max) {
    throw new FlagValueError(`Allowed are whole numbers from ${min} to ${max}.`);
  }
  return value;
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** `268435456`, `256Mi`, `1.5Gi`, `300M` → bytes, in a range. As Kubernetes writes quantities of memory. */
export function parseByteQuantity(text: string, min: number, max: number): number {
  const [, count, unit = ""] = /^([0-9]{1,15}(?:\.[0-9]{1,6})?)((?:[KMGT]i|[kMGT])?)$/.exec(text) ?? [];
  const bytes = Math.floor(Number(count) * (UNIT_BYTES[unit] ?? 1));
  if (!(bytes >= min && bytes <= max)) {
    throw new FlagValueError(`Allowed are bytes, or quantities such as 256Mi and 1.5Gi, from ${min} to ${max} bytes.`);
  }
  return bytes;
}

const LISTEN_FORMS = "Allowed are host:port, [::1]:port and :port (every address), with a port from 0 to 65535.";

/** `host:port`, `[::1]:port`, `:port`. */
export function parseListenAddress(text: string): ListenAddress {
  const parts = splitAddress(text);
  if (parts === undefined || parts.port > 65_535) throw new FlagValueError(LISTEN_FORMS);
  return { host: parts.host === "" ? undefined : parts.host, port: parts.port };
}

/** What `--to` may be. */
export const TARGET_FORMS = "Allowed are address:port, [::1]:port and name:port, with a port from 1 to 65535.";

/** `127.0.0.1:8010`, `[::1]:8010`, `backend.internal:8010`. */
export function parseTarget(text: string): ProxyTarget {
  if (text.includes("://")) throw new FlagValueError(`${TARGET_FORMS} Leave out ${text.split("://")[0] ?? ""}://.`);
  const parts = splitAddress(text);
  if (parts === undefined || parts.host === "" || parts.port < 1 || parts.port > 65_535) {
    throw new FlagValueError(TARGET_FORMS);
  }
  return { host: parts.host.toLowerCase(), port: parts.port };
}

/** A path that requests are matched by: absolute, without query, fragment, dot segments or escapes of separators. */
export function parsePath(text: string): string {
  const isPlain = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*$/.test(text) && text.length <= 1024;
  if (!isPlain || text.split("/").some((segment) => segment === "." || segment === "..")) {
    throw new FlagValueError("Allowed are paths that start with /, without query, fragment or . and .. segments.");
  }
  return text;
}

/** The name of an ingress class: a DNS subdomain, as Kubernetes names objects. */
export function parseClassName(text: string): string {
  if (!isDnsName(text)) throw new FlagValueError("Allowed are names of lower-case letters, digits, - and dots.");
  return text;
}

/** The name of a Kubernetes object. */
export function parseObjectName(text: string): string {
  return parseClassName(text);
}

/**
 * The name of a zone: the value of a label of nodes. Empty = none: what the chart has from a label that not every cluster gives
 * its Pods.
 */
export function parseZone(text: string): string | undefined {
  if (text === "") return undefined;
  if (!/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(text)) {
    throw new FlagValueError("Allowed is the value of a node's label topology.kubernetes.io/zone.");
  }
  return text;
}

/** `apps` or `apps,games`: names of namespaces, which are DNS labels. */
export function parseNamespaces(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (!names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))) {
    throw new FlagValueError("Allowed are names of namespaces, with commas between them.");
  }
  return [...new Set(names)];
}

function isDnsName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/.test(text);
}

function splitAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, six, other = "", port] = match;
  if (six !== undefined ? !isIPv6(six) : other !== "" && !isDnsName(other.toLowerCase())) return undefined;
  // Looks like an IPv4 address and is none: 300.1.2.3.
  if (six === undefined && /^[0-9.]+$/.test(other) && !isDottedQuad(other)) return undefined;
  return { host: six ?? other, port: Number(port) };
}

function isDottedQuad(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!$)|$)){4}$/.test(text);
}
