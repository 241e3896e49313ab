/** Names that can stand behind a dot. */
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const LONGEST_NAME = 64;

/** Where a value stands, as Kubernetes says it: `spec.rules[0].matches[1].path.value`; "" is the object itself. */
export function fieldPath(segments: readonly PropertyKey[]): string {
  let path = "";
  for (const segment of segments)
    path = typeof segment === "number" ? itemOf(path, segment) : fieldOf(path, String(segment));
  return path;
}

/** A field of what stands at `path`. The name may be anything a manifest holds; only its beginning is shown. */
export function fieldOf(path: string, name: string): string {
  const shown = name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name;
  if (!PLAIN_NAME.test(shown)) return `${path}[${JSON.stringify(shown)}]`;
  return path === "" ? shown : `${path}.${shown}`;
}

/** An item of the list at `path`. */
export function itemOf(path: string, index: number): string {
  return `${path}[${index}]`;
}
