import type { HeaderPair } from "./types.ts";

/** Name, value, name, value ... as pairs. */
export function pairsOf(raw: readonly (string | Buffer)[]): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([latin1(raw[i]), latin1(raw[i + 1])]);
  return pairs;
}

function latin1(text: string | Buffer | undefined): string {
  return typeof text === "string" ? text : (text?.toString("latin1") ?? "");
}

/** Every value under a name (lower case), in order. */
export function valuesOf(headers: readonly HeaderPair[], name: string): string[] {
  const values: string[] = [];
  for (const [received, value] of headers) {
    if (isNamed(received, name)) values.push(value);
  }
  return values;
}

/** As `valuesOf`, of the list that Node's parser gives: name, value, name, value ... */
export function rawValues(raw: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) if (isNamed(raw[i] as string, name)) values.push(raw[i + 1] as string);
  return values;
}

function isNamed(received: string, name: string): boolean {
  return received.length === name.length && received.toLowerCase() === name;
}
