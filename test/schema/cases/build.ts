/**
 * Verbs for accept/reject tables of the schema. The tables are plain data, so that one suite runs them through
 * parseWebSocketRoute and another one through a real API server.
 */
export interface WantedIssue {
  /** Where the issue is said to be; an API server says the same place. */
  readonly field: string;
  readonly message: string;
  /**
   * Who finds it. An API server gives a `cel` message word for word and the others in its own words ("Invalid value",
   * "Required value", "Duplicate value"); beside a `shape` issue it may add CEL rules that the value breaks as well.
   */
  readonly by: "shape" | "list" | "cel";
}

export interface RouteCase {
  readonly name: string;
  /** The whole manifest. */
  readonly object: unknown;
  /** In the order in which they are said; empty = accepted. */
  readonly wantIssues: readonly WantedIssue[];
}

type Fields = Readonly<Record<string, unknown>>;

const BACKENDS = [{ name: "chat", port: 8010 }];

/** A small valid route whose manifest has these fields beside or in place of its own. */
export function manifest(fields: Fields): Fields {
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name: "chat", namespace: "apps" },
    spec: { rules: [{ backendRefs: BACKENDS }] },
    ...fields,
  };
}

export function withSpec(fields: Fields): Fields {
  return manifest({ spec: { rules: [{ backendRefs: BACKENDS }], ...fields } });
}

export function withRule(fields: Fields): Fields {
  return withSpec({ rules: [{ backendRefs: BACKENDS, ...fields }] });
}

export function withMatch(fields: Fields): Fields {
  return withRule({ matches: [fields] });
}

/** `count` values made from their index. */
export function many<T>(count: number, make: (index: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

export function accepts(name: string, object: Fields): RouteCase {
  return { name: `accepts ${name}`, object, wantIssues: [] };
}

/** One row for each value. */
export function acceptsEach(values: readonly string[], what: string, put: (value: string) => Fields): RouteCase[] {
  return values.map((value) => accepts(`${what} ${show(value)}`, put(value)));
}

export function refuses(name: string, object: Fields, ...wantIssues: readonly WantedIssue[]): RouteCase {
  return { name: `refuses ${name}`, object, wantIssues };
}

/** One row for each value, all with the same issues. */
export function refusesEach(
  values: readonly string[],
  what: string,
  put: (value: string) => Fields,
  ...wantIssues: readonly WantedIssue[]
): RouteCase[] {
  return values.map((value) => refuses(`${what} ${show(value)}`, put(value), ...wantIssues));
}

export function shape(field: string, message: string): WantedIssue {
  return { field, message, by: "shape" };
}

export function twice(field: string): WantedIssue {
  return { field, message: "is listed twice: list it once", by: "list" };
}

export function cel(field: string, message: string): WantedIssue {
  return { field, message, by: "cel" };
}

function show(value: string): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 40)}… (${value.length} characters)` : text;
}
