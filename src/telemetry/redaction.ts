const CENSORED = "[redacted]";

/** Names of fields and headers whose values are secrets, in lower case. */
const SECRET_NAMES = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "sec-websocket-protocol",
  "x-api-key",
  "password",
  "secret",
  "token",
]);

/**
 * Query parameters that carry secrets; browsers cannot set headers on a WebSocket, so tokens travel here. A value ends
 * where the next parameter, the fragment or the text around it begins.
 */
const SECRET_PARAMETERS =
  /([?&;](?:[\w.-]*token|jwt|auth|authorization|api[_-]?key|key|password|passwd|secret|signature|sig|ticket|code|session(?:id)?|sid)=)[^&;#\s"']*/gi;

/** Takes the values of token-like query parameters out of a text. */
export function redactText(text: string): string {
  return text.includes("=") ? text.replace(SECRET_PARAMETERS, `$1${CENSORED}`) : text;
}

/**
 * The fields of a log line without secrets: values under a secret name and token-like query parameters in any text.
 * Looks into plain objects and arrays up to a small depth; a header pair `[name, value]` counts as a name with a value.
 * Returns the same object when there was nothing to hide.
 */
export function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return redactValue(fields, 4) as Record<string, unknown>;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null || depth === 0) return value;
  if (Array.isArray(value)) return redactArray(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? redactObject(value, depth) : value;
}

function redactArray(list: readonly unknown[], depth: number): readonly unknown[] {
  const [name, value] = list;
  if (list.length === 2 && typeof name === "string" && typeof value === "string" && isSecretName(name)) {
    return [name, CENSORED];
  }
  let copy: unknown[] | undefined;
  for (const [i, item] of list.entries()) {
    const clean = redactValue(item, depth - 1);
    if (clean === item) continue;
    copy ??= [...list];
    copy[i] = clean;
  }
  return copy ?? list;
}

function redactObject(object: object, depth: number): object {
  let copy: Record<string, unknown> | undefined;
  for (const [name, value] of Object.entries(object)) {
    const clean = isSecretName(name) && value !== undefined ? CENSORED : redactValue(value, depth - 1);
    if (clean === value) continue;
    copy ??= { ...object };
    copy[name] = clean;
  }
  return copy ?? object;
}

function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase());
}
