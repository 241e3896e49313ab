import { z } from "zod";
import { headerValue, namesDifferInAnyCase, token } from "./headers.ts";
import { pathValue } from "./paths.ts";
import { LIST_IS_SET, listIsMapBy } from "./schema-notes.ts";

const path = z
  .strictObject({
    type: z
      .enum(["Exact", "PathPrefix"])
      .default("PathPrefix")
      .describe(
        "Exact: this path only. PathPrefix: this path and what lies below it, by whole segments (/chat does not match /chatter).",
      ),
    value: pathValue
      .default("/")
      .describe(
        "Compared with the path as it was sent, percent-escapes included and upper and lower case apart. A prefix `/chat/` means `/chat`. Two slashes " +
          "in a row match only themselves.",
      ),
  })
  .prefault({})
  .describe("What the request's path must be.");

// Values are compared as they are: an expression that a tenant writes could keep a thread busy for ever.
const header = z.strictObject({
  name: token.describe("The header's name, in any case."),
  value: headerValue.describe(
    "The whole value, upper and lower case apart. A repeated header is one value, joined by `, `.",
  ),
});

const queryParam = z.strictObject({
  name: z
    .string()
    .min(1, { abort: true })
    .max(256, { abort: true })
    .regex(/^[^\x00-\x1f\x7f]+$/, { error: "must not hold control characters" })
    .describe("The parameter's name, decoded; upper and lower case apart."),
  value: z
    .string()
    .max(1024, { abort: true })
    .regex(/^[^\x00-\x1f\x7f]*$/, { error: "must not hold control characters" })
    .describe("The whole value, decoded; upper and lower case apart. Of a repeated parameter the first counts."),
});

/** One alternative under which a rule applies; all of its parts must hold. */
const match = z.strictObject({
  path,
  headers: z
    .array(header.describe("A header that the request must have."))
    .max(8, { abort: true })
    .meta({ ...listIsMapBy("name"), ...namesDifferInAnyCase })
    .describe("Headers that the request must have, all of them.")
    .optional(),
  queryParams: z
    .array(queryParam.describe("A query parameter that the request must have."))
    .max(8, { abort: true })
    .meta(listIsMapBy("name"))
    .describe("Query parameters that the request must have, all of them.")
    .optional(),
  subprotocols: z
    .array(token.describe("A subprotocol as clients offer it, upper and lower case apart (graphql-transport-ws)."))
    .max(16, { abort: true })
    .meta(LIST_IS_SET)
    .describe(
      "The handshake must offer at least one of these in Sec-WebSocket-Protocol (RFC 6455 1.9). None: no condition.",
    )
    .optional(),
});

export const matches = z
  .array(match.describe("One alternative; all of its parts must hold."))
  .min(1)
  .max(8, { abort: true })
  .meta({ "x-kubernetes-list-type": "atomic" })
  .default([{ path: { type: "PathPrefix", value: "/" } }])
  .describe(
    "Alternatives under which the rule applies. Of all routes of a host an Exact path wins over the longest prefix, then " +
      "more headers, more query parameters, a subprotocol named, the older route, namespace/name, the order of rules.",
  );
