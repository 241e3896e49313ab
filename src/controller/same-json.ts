/** Deeper than any manifest; what is nested deeper counts as different, so that no object can exhaust the stack. */
const DEEPEST = 128;

/** Whether two values, as JSON or YAML gives them, say the same. The order of an object's fields says nothing. */
export function isSameJson(a: unknown, b: unknown): boolean {
  return isSame(a, b, 0);
}

function isSame(a: unknown, b: unknown, depth: number): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (depth === DEEPEST || Array.isArray(a) !== Array.isArray(b)) return false;
  return Array.isArray(a) && Array.isArray(b) ? isSameList(a, b, depth + 1) : isSameRecord(a, b, depth + 1);
}

function isSameList(a: readonly unknown[], b: readonly unknown[], depth: number): boolean {
  return a.length === b.length && a.every((item, index) => isSame(item, b[index], depth));
}

function isSameRecord(a: object, b: object, depth: number): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && isSame(Reflect.get(a, name), Reflect.get(b, name), depth));
}
