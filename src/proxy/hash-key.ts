import { type HashSource, readQuery } from "../routing/index.ts";
import { valuesOf } from "./raw-headers.ts";
import type { HeaderPair, RequestFacts } from "./types.ts";

/**
 * What of a request its backend is chosen by; undefined when the request has it not, or empty: all those would get the
 * same backend.
 * @param query raw, without `?`
 */
export function hashKey(
  source: HashSource,
  { headers, clientAddress }: Pick<RequestFacts, "headers" | "clientAddress">,
  query: string,
): string | undefined {
  switch (source.type) {
    case "ClientIP":
      return orNone(clientAddress);
    case "Header":
      return orNone(valuesOf(headers, source.name).join(", "));
    case "Cookie":
      return orNone(cookie(headers, source.name));
    case "QueryParam":
      return orNone(readQuery(query).get(source.name));
  }
}

function orNone(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}

/** The value of the first cookie of that name, as it was sent, its quotes included (RFC 6265 4.2.1). */
function cookie(headers: readonly HeaderPair[], name: string): string | undefined {
  for (const line of valuesOf(headers, "cookie")) {
    for (const pair of line.split(";")) {
      const equals = pair.indexOf("=");
      if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return undefined;
}
