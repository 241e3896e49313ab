/** Deeper than any manifest that means something; schemas and comparisons may recurse that far. */
const DEEPEST = 100;

export interface JsonMeasure {
  /** Keys of all objects together. */
  readonly keys: number;
  /** Nested deeper than 100 levels; a value that contains itself is. Counting ended there. */
  readonly isTooDeep: boolean;
}

/** Walks a value as JSON or YAML gave it. */
export function measureJson(value: unknown): JsonMeasure {
  let keys = 0;
  const walk = (node: unknown, depth: number): boolean => {
    if (typeof node !== "object" || node === null) return true;
    if (depth === DEEPEST) return false;
    const values: readonly unknown[] = Object.values(node);
    if (!Array.isArray(node)) keys += values.length;
    return values.every((child) => walk(child, depth + 1));
  };
  const isTooDeep = !walk(value, 0);
  return { keys, isTooDeep };
}
