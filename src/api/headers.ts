import { z } from "zod";
import { celRules, LIST_IS_SET, listIsMapBy } from "./schema-notes.ts";

/** A token (RFC 9110 5.6.2): names of headers and subprotocols. */
export const token = z
  .string()
  .min(1, { abort: true })
  .max(256, { abort: true })
  .regex(/^[-A-Za-z0-9!#$%&'*+.^_`|~]+$/, {
    error: "must be letters, digits and any of -!#$%&'*+.^_`|~",
  });

/**
 * A header's value (RFC 9110 5.5): visible ASCII, with spaces and tabs inside. A value that begins or ends with one would
 * never arrive so.
 */
export const headerValue = z
  .string()
  .min(1, { abort: true })
  .max(4096, { abort: true })
  .regex(/^[!-~]([ -~\t]*[!-~])?$/, {
    error: "must be visible ASCII characters, with spaces only inside",
  });

// Case-insensitive by a group, since RE2 and JavaScript both have those and no common flag.
const UNTOUCHABLE =
  "^(?i:connection|upgrade|host|content-length|transfer-encoding|te|trailer|keep-alive|proxy-connection|forwarded|via|" +
  "sec-websocket-.*|x-forwarded-.*|holdfast-.*)$";

/** Names that Holdfast makes itself, or that frame the message: an edit would break the hop or lie to the backend. */
const editableName = token.meta(
  celRules({
    rule: `!self.matches('${UNTOUCHABLE}')`,
    message:
      "may not be edited: Connection, Upgrade, Host, Content-Length, Transfer-Encoding, TE, Trailer, Keep-Alive, " +
      "Proxy-Connection, Forwarded, Via, Sec-WebSocket-*, X-Forwarded-* and holdfast-* are Holdfast's to write",
  }),
);

/** For lists with a `name`: names of headers are the same in any case. */
export const namesDifferInAnyCase = celRules({
  rule: "self.all(a, self.exists_one(b, a.name.lowerAscii() == b.name.lowerAscii()))",
  message: "must name each header once; upper and lower case are the same",
});

const edit = z.strictObject({
  name: editableName.describe("The header's name, in any case."),
  value: headerValue.describe("The header's value, as it is sent."),
});

const set = z
  .array(edit.describe("A header to set."))
  .max(16, { abort: true })
  .meta({ ...listIsMapBy("name"), ...namesDifferInAnyCase })
  .describe("Headers that get this value; values that were there before are replaced.");

const add = z
  .array(edit.describe("A header to add."))
  .max(16, { abort: true })
  .meta({ "x-kubernetes-list-type": "atomic" })
  .describe("Headers that are added beside those that are there; the same name may come more than once.");

const remove = z
  .array(editableName.describe("The name of a header, in any case."))
  .max(16, { abort: true })
  .meta(LIST_IS_SET)
  .describe("Names of headers that are taken out.");

/** Edits of one head. */
export const headerEdits = z.strictObject({ set: set.optional(), add: add.optional(), remove: remove.optional() });
