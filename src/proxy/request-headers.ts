import type { HeaderEdits } from "../routing/index.ts";
import { nominatedNames } from "./field-names.ts";
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
  for (let i = 0; i < input.headers.length; i += 1) {
    const pair = input.headers[i] as HeaderPair;
    const facts = fields.names[i];
    if (facts === undefined || facts.isDropped) continue;
    const { field, lowerName } = facts;
    if (field === "host") kept.push([pair[0], input.host]);
    // A handshake has no body, so its `Content-Length: 0` says nothing.
    else if (!(isUpgrade && field === "contentLength") && !nominated.has(lowerName)) kept.push(pair);
  }
  const edited = editHeaders(kept, input.edits);
  if (isUpgrade) edited.push(["Connection", "Upgrade"], ["Upgrade", "websocket"]);
  edited.push(...forwardedHeaders(input.provenance));
  return edited;
}
