import { type HashSource, readQuery } from "../routing/index.ts";
import { cookiesOf } from "./cookies.ts";
import { valuesOf } from "./raw-headers.ts";
import type { RequestFacts } from "./types.ts";

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
      return orNone(cookiesOf(headers, source.name)[0]);
    case "QueryParam":
      return orNone(readQuery(query).get(source.name));
  }
}

function orNone(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}
