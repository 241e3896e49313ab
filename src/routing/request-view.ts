import type { CompiledMatch, MatchFacts, NameValue } from "./types.ts";

/** What a condition looks at, taken out of a request's facts at most once, and only when a condition asks. */
export class RequestView {
  readonly path: string;
  readonly #facts: MatchFacts;
  #headers: ReadonlyMap<string, string> | undefined;
  #query: ReadonlyMap<string, string> | undefined;

  constructor(facts: MatchFacts) {
    this.path = facts.path;
    this.#facts = facts;
  }

  /** Whether everything but the path holds. */
  satisfies(match: CompiledMatch): boolean {
    return (
      (match.headers.length === 0 || containsAll(this.#headerValues(), match.headers)) &&
      (match.queryParams.length === 0 || containsAll(this.#queryValues(), match.queryParams)) &&
      (match.subprotocols.length === 0 || this.#offersOne(match.subprotocols))
    );
  }

  #offersOne(subprotocols: readonly string[]): boolean {
    for (const wanted of subprotocols) if (this.#facts.subprotocols.includes(wanted)) return true;
    return false;
  }

  #headerValues(): ReadonlyMap<string, string> {
    this.#headers ??= readHeaders(this.#facts.headers);
    return this.#headers;
  }

  #queryValues(): ReadonlyMap<string, string> {
    this.#query ??= readQuery(this.#facts.query);
    return this.#query;
  }
}

function containsAll(values: ReadonlyMap<string, string>, wanted: readonly NameValue[]): boolean {
  for (const { name, value } of wanted) if (values.get(name) !== value) return false;
  return true;
}

/** Lower-case name → value; a repeated header is one value joined by `, ` (RFC 9110 5.3). */
export function readHeaders(pairs: MatchFacts["headers"]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of pairs) {
    const key = name.toLowerCase();
    const before = values.get(key);
    values.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return values;
}

/**
 * Name → value of a query as forms write it (WHATWG URL, application/x-www-form-urlencoded): `+` is a space, the first
 * of a repeated name counts, a name without `=` has the value "". A name or value whose escapes are broken or are not
 * UTF-8 is taken whole as it was received.
 */
export function readQuery(query: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (let start = 0; start < query.length; ) {
    const ampersand = query.indexOf("&", start);
    const end = ampersand === -1 ? query.length : ampersand;
    if (end > start) {
      const parameter = query.slice(start, end);
      const equals = parameter.indexOf("=");
      const name = decode(equals === -1 ? parameter : parameter.slice(0, equals));
      if (!values.has(name)) values.set(name, equals === -1 ? "" : decode(parameter.slice(equals + 1)));
    }
    start = end + 1;
  }
  return values;
}

function decode(raw: string): string {
  const spaced = raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return raw;
  }
}
