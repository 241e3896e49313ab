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

/** Most names differ from all of these by length or first letter, and are then never put into lower case. */
const SECRET_SHAPES = new Set([...SECRET_NAMES].map(shapeOf));

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
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    const clean = redactValue(item, depth - 1);
    if (clean === item) continue;
    copy ??= [...list];
    copy[i] = clean;
  }
  return copy ?? list;
}

function redactObject(object: object, depth: number): object {
  const fields = object as Readonly<Record<string, unknown>>;
  let copy: Record<string, unknown> | undefined;
  // A line has some twenty fields, and nearly always nothing to hide: no list of them is made.
  for (const name in fields) {
    if (!Object.hasOwn(fields, name)) continue;
    const value = fields[name];
    const clean = isSecretName(name) && value !== undefined ? CENSORED : redactValue(value, depth - 1);
    if (clean === value) continue;
    copy ??= { ...fields };
    copy[name] = clean;
  }
  return copy ?? fields;
}

function isSecretName(name: string): boolean {
  return SECRET_SHAPES.has(shapeOf(name)) && SECRET_NAMES.has(name.toLowerCase());
}

/**
 * Length and first letter, whatever its case. Names that are equal in lower case have the same: nothing that becomes
 * ASCII changes its length, and of all beyond ASCII only the Kelvin sign becomes a letter of it, a k, which no secret
 * name begins with.
 */
function shapeOf(name: string): number {
  return name.length * 0x10000 + (name.charCodeAt(0) | 0x20);
}
