import { valuesOf } from "./raw-headers.ts";
import type { HeaderPair } from "./types.ts";

/** The values of a request's cookies of that name, in order, as they were sent, quotes included (RFC 6265 4.2.1). */
export function cookiesOf(headers: readonly HeaderPair[], name: string): readonly string[] {
  const values: string[] = [];
  for (const line of valuesOf(headers, "cookie")) {
    for (const pair of line.split(";")) {
      const equals = pair.indexOf("=");
      if (equals !== -1 && pair.slice(0, equals).trim() === name) values.push(pair.slice(equals + 1).trim());
    }
  }
  return values;
}
