/** Why a request is not served. */
export type FaultCode =
  /** The connection comes from another machine, or was passed on by a proxy. */
  | "not_local"
  | "wrong_host"
  /** A web page asked. */
  | "from_browser"
  | "not_found"
  | "method_not_allowed"
  | "content_type"
  | "body_too_large"
  | "bad_json"
  | "unknown_field"
  | "bad_field"
  /** Fields that do not go together, or none where one is needed. */
  | "bad_request"
  | "no_such_drain"
  /** The drain belongs to a rule's policy, or to the process's end. */
  | "not_an_operators"
  | "too_many_orders"
  | "too_many_waiting"
  | "process_ends"
  /** Our own; the log says more. */
  | "internal";

/** What is wrong with a request, in words that say what to do. */
export interface Fault {
  readonly code: FaultCode;
  readonly message: string;
  /** The parameter, field or header that it is about. */
  readonly field?: string | undefined;
}

const STATUS: Readonly<Record<FaultCode, number>> = {
  not_local: 403,
  wrong_host: 403,
  from_browser: 403,
  not_found: 404,
  method_not_allowed: 405,
  content_type: 415,
  body_too_large: 413,
  bad_json: 400,
  unknown_field: 400,
  bad_field: 400,
  bad_request: 400,
  no_such_drain: 404,
  not_an_operators: 409,
  too_many_orders: 429,
  too_many_waiting: 429,
  process_ends: 503,
  internal: 500,
};

/** The HTTP status of an answer with that fault. */
export function statusOf({ code }: Fault): number {
  return STATUS[code];
}

/** Something a request says, or what is wrong with it. */
export type Read<Value> = { readonly value: Value } | { readonly fault: Fault };
