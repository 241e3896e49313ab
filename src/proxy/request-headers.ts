import type { HeaderEdits } from "../routing/index.ts";
import { isClaimOfOrigin, isHopByHop, nominatedNames } from "./field-names.ts";
import { forwardedHeaders, type Provenance } from "./forwarded.ts";
import { editHeaders } from "./header-edits.ts";
import type { RequestFields } from "./request-fields.ts";
import type { HeaderPair } from "./types.ts";

export interface RequestHeadersInput {
  readonly headers: readonly HeaderPair[];
  readonly fields: RequestFields;
  readonly isUpgrade: boolean;
  /** What Host says to the backend: the authority as received, or what the rule puts in its place. */
  readonly host: string;
  readonly edits: HeaderEdits | undefined;
  readonly provenance: Provenance;
}

/**
 * The headers as they go to a backend. Spelling and order of what passes stay. Hop-by-hop fields and those that
 * Connection nominates are removed, what says where the request came from is made anew, then the rule's edits apply.
 * A Transfer-Encoding is of this hop: whoever sends the body frames it anew, Content-Length stays as it is.
 */
export function requestHeaders(input: RequestHeadersInput): HeaderPair[] {
  const { fields, isUpgrade } = input;
  const nominated = nominatedNames(fields.connection);
  const kept: HeaderPair[] = [];
  input.headers.forEach((pair, i) => {
    const name = fields.names[i] ?? "";
    if (name === "host") kept.push([pair[0], input.host]);
    else if (!isForThisHop(name, isUpgrade) && !isClaimOfOrigin(name) && !nominated.has(name)) kept.push(pair);
  });
  const edited = editHeaders(kept, input.edits);
  if (isUpgrade) edited.push(["Connection", "Upgrade"], ["Upgrade", "websocket"]);
  edited.push(...forwardedHeaders(input.provenance));
  return edited;
}

/**
 * Expect is answered here: by the time a backend is dialled the client has been told to go on (RFC 9110 10.1.1).
 * A handshake has no body, so its `Content-Length: 0` says nothing.
 */
function isForThisHop(name: string, isUpgrade: boolean): boolean {
  return isHopByHop(name) || name === "expect" || (isUpgrade && name === "content-length");
}
