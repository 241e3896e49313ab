import { isClaimOfOrigin, isHopByHop } from "./field-names.ts";
import { isToken } from "./field-syntax.ts";

/** The fields a decision reads. */
export type ReadField =
  | "host"
  | "connection"
  | "upgrade"
  | "via"
  | "contentLength"
  | "transferEncoding"
  | "webSocketKey"
  | "webSocketVersion"
  | "webSocketProtocol"
  | "webSocketExtensions";

/** What a header's name alone says. */
export interface NameFacts {
  readonly lowerName: string;
  readonly field: ReadField | undefined;
  /** It never goes on to a backend as it came: meant for this hop, or a claim of origin. */
  readonly isDropped: boolean;
}

const READ_FIELDS: ReadonlyMap<string, ReadField> = new Map([
  ["host", "host"],
  ["connection", "connection"],
  ["upgrade", "upgrade"],
  ["via", "via"],
  ["content-length", "contentLength"],
  ["transfer-encoding", "transferEncoding"],
  ["sec-websocket-key", "webSocketKey"],
  ["sec-websocket-version", "webSocketVersion"],
  ["sec-websocket-protocol", "webSocketProtocol"],
  ["sec-websocket-extensions", "webSocketExtensions"],
]);

/** As browsers, libraries and balancers spell them; in lower case they are known as well. */
const EVERYDAY_NAMES = `
  Host Connection Upgrade Origin Cookie User-Agent Accept Accept-Encoding Accept-Language Authorization
  Cache-Control Pragma Referer Via Content-Length Content-Type Sec-WebSocket-Key Sec-WebSocket-Version
  Sec-WebSocket-Protocol Sec-WebSocket-Extensions Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-GPC DNT
  Priority Keep-Alive X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port Forwarded
  X-Real-IP X-Request-ID X-Requested-With Traceparent Tracestate Transfer-Encoding TE Range If-None-Match
  If-Modified-Since Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform
`;

const EVERYDAY: ReadonlyMap<string, NameFacts> = new Map(
  EVERYDAY_NAMES.trim()
    .split(/\s+/)
    .flatMap((name) => {
      const facts = readName(name.toLowerCase());
      return [[name, facts] as const, [facts.lowerName, facts] as const];
    }),
);

/** undefined when it is not a token. Everyday names, in the usual spellings, cost one look-up. */
export function factsOfName(name: string): NameFacts | undefined {
  return EVERYDAY.get(name) ?? (isToken(name) ? readName(name.toLowerCase()) : undefined);
}

/**
 * Expect is answered here: by the time a backend is dialled the client has been told to go on (RFC 9110 10.1.1). Host is
 * written anew.
 */
function readName(lowerName: string): NameFacts {
  const isDropped = isHopByHop(lowerName) || lowerName === "expect" || isClaimOfOrigin(lowerName);
  return { lowerName, field: READ_FIELDS.get(lowerName), isDropped };
}
