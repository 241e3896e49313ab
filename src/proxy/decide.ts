import type { CompiledEntry, TableRef } from "../routing/index.ts";
import { readAffinity } from "./affinity-cookie.ts";
import { answerHeaders, type ProxyErrorCode } from "./answers.ts";
import { isToken, listElements } from "./field-syntax.ts";
import { readVia } from "./forwarded.ts";
import { asksForWebSocket, readHandshake } from "./handshake-request.ts";
import { hashKey } from "./hash-key.ts";
import { framingFault, readFields, type RequestFields } from "./request-fields.ts";
import { requestHeaders } from "./request-headers.ts";
import { rewritePath } from "./rewrite.ts";
import { parseTarget, type ParsedTarget } from "./target.ts";
import type { Decider, Decision, OutgoingHead, RequestFacts } from "./types.ts";

export interface DeciderOptions {
  readonly tables: TableRef;
  /** This instance's name in Via: `holdfast-<8 hex>`, the same for as long as it runs. */
  readonly pseudonym: string;
}

/** A decider that needs to wait for nobody. */
export interface SyncDecider extends Decider {
  decide(facts: RequestFacts): Decision;
}

/**
 * What is to become of a request. Pure but for one reading of the table; never throws, whatever the facts say.
 * In order: the message itself, host and path, loops, the match, the handshake, what the rule says of plain requests.
 */
export function createDecider(options: DeciderOptions): SyncDecider {
  return { decide: (facts) => decide(facts, options) };
}

type Refuse = Extract<Decision, { kind: "refuse" }>;

function refuse(code: ProxyErrorCode, detail: string, entry?: CompiledEntry): Refuse {
  return { kind: "refuse", code, detail, headers: answerHeaders(code), entry };
}

/** A request that is sound by itself, before anybody asked where it goes. */
interface SoundRequest {
  readonly facts: RequestFacts;
  readonly fields: RequestFields;
  readonly target: Extract<ParsedTarget, { ok: true }>;
  readonly hops: readonly string[];
  readonly isUpgrade: boolean;
}

function decide(facts: RequestFacts, { tables, pseudonym }: DeciderOptions): Decision {
  const request = examine(facts, pseudonym);
  if ("kind" in request) return request;
  const { fields, target, isUpgrade } = request;
  const entry = tables.current.match({
    host: target.host,
    path: target.path,
    query: target.query,
    headers: facts.headers,
    subprotocols: isUpgrade ? listElements(fields.webSocketProtocol) : [],
  });
  if (entry === undefined) return refuse("HF_NO_ROUTE", "");
  return isUpgrade ? decideUpgrade(request, entry, pseudonym) : decidePlain(request, entry, pseudonym);
}

function examine(facts: RequestFacts, pseudonym: string): SoundRequest | Refuse {
  if (!isToken(facts.method)) return refuse("HF_BAD_REQUEST", "the method is not a token");
  if (facts.method === "CONNECT" || facts.method === "TRACE")
    return refuse("HF_METHOD", `${facts.method} is not served`);
  const read = readFields(facts.headers);
  if (!read.ok) return refuse("HF_BAD_REQUEST", read.detail);
  const { fields } = read;
  const framing = framingFault(fields, facts.httpVersion);
  if (framing !== undefined) return refuse("HF_BAD_REQUEST", framing);
  const target = parseTarget(facts.target, fields.host);
  if (!target.ok) return refuse(target.code, target.detail);
  const { loop, hops } = readVia(fields.via, pseudonym);
  if (loop !== undefined) return refuse("HF_LOOP", loop);
  return { facts, fields, target, hops, isUpgrade: asksForWebSocket(fields, facts.httpVersion) };
}

function decideUpgrade(request: SoundRequest, entry: CompiledEntry, pseudonym: string): Decision {
  const handshake = readHandshake(request.facts.method, request.fields);
  if (!handshake.ok) return refuse(handshake.code, handshake.detail, entry);
  const head = outgoingHead(request, entry, pseudonym);
  return { kind: "tunnel", entry, head, ...preferenceOf(request, entry), offered: handshake.offered };
}

function decidePlain(request: SoundRequest, entry: CompiledEntry, pseudonym: string): Decision {
  if (entry.rule.policy.plainHTTP === "Reject") return refuse("HF_PLAIN_HTTP_REJECTED", "", entry);
  return { kind: "forward", entry, head: outgoingHead(request, entry, pseudonym), ...preferenceOf(request, entry) };
}

/** What of the request has a say in the choice of its backend. */
function preferenceOf(
  { facts, target }: SoundRequest,
  { rule }: CompiledEntry,
): Pick<Extract<Decision, { kind: "forward" }>, "hashKey" | "affinity"> {
  const { balancing, affinity } = rule.policy;
  return {
    hashKey: balancing.algorithm === "ConsistentHash" ? hashKey(balancing.hashOn, facts, target.query) : undefined,
    affinity: readAffinity(facts.headers, affinity),
  };
}

function outgoingHead(request: SoundRequest, entry: CompiledEntry, pseudonym: string): OutgoingHead {
  const { facts, fields, target, hops, isUpgrade } = request;
  const { rewrite, requestHeaders: edits } = entry.rule;
  const { clientAddress, scheme, httpVersion } = facts;
  const { authority } = target;
  return {
    method: facts.method,
    target: rewritePath(target.path, entry.match.path, rewrite) + target.search,
    headers: requestHeaders({
      headers: facts.headers,
      fields,
      isUpgrade,
      host: rewrite?.host ?? authority,
      edits,
      provenance: { clientAddress, scheme, authority, httpVersion, pseudonym, hops },
    }),
  };
}
