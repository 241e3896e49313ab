import { hash } from "node:crypto";
import { type Negotiated, negotiatedBy } from "../relay/index.ts";
import { hasUpgradeOption } from "./field-names.ts";
import { namesToken } from "./field-syntax.ts";
import { extensionNames } from "./handshake-request.ts";
import { editHeaders } from "./header-edits.ts";
import { valuesOf } from "./raw-headers.ts";
import { endToEnd, type ResponseShape, withoutLength } from "./response-headers.ts";
import { viaElement } from "./forwarded.ts";
import type { HeaderPair, OfferedHandshake } from "./types.ts";

export type SwitchCheck =
  | {
      readonly ok: true;
      /** What the client gets with its 101. */
      readonly headers: readonly HeaderPair[];
      readonly negotiated: Negotiated;
    }
  | { readonly ok: false; readonly detail: string };

/** RFC 6455 1.3. */
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The Sec-WebSocket-Accept that answers a key (RFC 6455 4.2.2). */
export function acceptOf(key: string): string {
  return hash("sha1", `${key}${ACCEPT_GUID}`, "base64");
}

/**
 * Whether a backend's 101 answers the handshake as the client will demand it (RFC 6455 4.1), and the headers with which
 * it goes on. A 101 that the client would refuse is found here, while an HTTP answer can still say so.
 */
export function checkSwitch(
  offered: OfferedHandshake,
  headers: readonly HeaderPair[],
  shape: ResponseShape,
): SwitchCheck {
  const extensions = extensionNames(valuesOf(headers, "sec-websocket-extensions"));
  const detail = switchFault(offered, headers) ?? choiceFault(offered, headers, extensions);
  if (detail !== undefined) return { ok: false, detail };
  const passed = withoutLength(endToEnd(headers));
  return {
    ok: true,
    headers: [
      ["Upgrade", "websocket"],
      ["Connection", "Upgrade"],
      ...editHeaders(passed, shape.edits),
      ["Via", viaElement("1.1", shape.pseudonym)],
    ],
    negotiated: negotiatedBy(extensions, valuesOf(headers, "sec-websocket-protocol")[0]),
  };
}

function switchFault(offered: OfferedHandshake, headers: readonly HeaderPair[]): string | undefined {
  if (!namesToken(valuesOf(headers, "upgrade"), "websocket")) return "Upgrade does not name websocket";
  if (!hasUpgradeOption(valuesOf(headers, "connection"))) return "Connection does not name Upgrade";
  const accepts = valuesOf(headers, "sec-websocket-accept");
  if (accepts.length !== 1) return "not exactly one Sec-WebSocket-Accept";
  return accepts[0] === acceptOf(offered.key) ? undefined : "Sec-WebSocket-Accept does not answer the key";
}

function choiceFault(
  offered: OfferedHandshake,
  headers: readonly HeaderPair[],
  extensions: readonly string[],
): string | undefined {
  const chosen = valuesOf(headers, "sec-websocket-protocol");
  if (chosen.length > 1) return "more than one Sec-WebSocket-Protocol";
  const [subprotocol] = chosen;
  if (subprotocol !== undefined && !offered.subprotocols.includes(subprotocol))
    return "a subprotocol that was not offered";
  for (const extension of extensions) {
    if (!offered.extensions.includes(extension)) return "an extension that was not offered";
  }
  return undefined;
}
