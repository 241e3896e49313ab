import { hasUpgradeOption } from "./field-names.ts";
import { listElements, namesToken, trimSpace } from "./field-syntax.ts";
import type { RequestFields } from "./request-fields.ts";
import type { OfferedHandshake } from "./types.ts";

type HandshakeReading =
  | { readonly ok: true; readonly offered: OfferedHandshake }
  | {
      readonly ok: false;
      readonly code: "HF_UPGRADE_METHOD" | "HF_UPGRADE_BODY" | "HF_UPGRADE_VERSION" | "HF_UPGRADE_KEY";
      readonly detail: string;
    };

/** 16 bytes: 22 characters of base64 and two of padding. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/**
 * Whether the request asks for WebSocket: Upgrade lists it, Connection has the option, HTTP/1.1. An Upgrade to anything
 * else, one that Connection does not name, and one in HTTP/1.0 are ignored (RFC 9110 7.8): the request is a plain one.
 */
export function asksForWebSocket(fields: Pick<RequestFields, "upgrade" | "connection">, httpVersion: string): boolean {
  if (fields.upgrade.length === 0 || httpVersion === "1.0") return false;
  return namesToken(fields.upgrade, "websocket") && hasUpgradeOption(fields.connection);
}

/** Checks the handshake by RFC 6455 4.2.1; what a server may decide (subprotocol, extensions) is left to the backend. */
export function readHandshake(method: string, fields: RequestFields): HandshakeReading {
  if (method !== "GET")
    return { ok: false, code: "HF_UPGRADE_METHOD", detail: "a WebSocket handshake with another method" };
  const body = bodyOf(fields);
  if (body !== undefined) return { ok: false, code: "HF_UPGRADE_BODY", detail: body };
  const [version, secondVersion] = fields.webSocketVersion;
  if (version !== "13" || secondVersion !== undefined) {
    return { ok: false, code: "HF_UPGRADE_VERSION", detail: "Sec-WebSocket-Version is not 13" };
  }
  const [key, secondKey] = fields.webSocketKey;
  if (key === undefined || secondKey !== undefined || !KEY.test(key)) {
    return { ok: false, code: "HF_UPGRADE_KEY", detail: "" };
  }
  const subprotocols = listElements(fields.webSocketProtocol);
  return { ok: true, offered: { key, subprotocols, extensions: extensionNames(fields.webSocketExtensions) } };
}

function bodyOf(fields: RequestFields): string | undefined {
  if (fields.transferEncoding.length > 0) return "Transfer-Encoding in a WebSocket handshake";
  const [length] = fields.contentLength;
  return length === undefined || Number(length) === 0 ? undefined : "Content-Length above 0 in a WebSocket handshake";
}

/** Names of the extensions in Sec-WebSocket-Extensions, without their parameters (RFC 6455 9.1). */
export function extensionNames(values: readonly string[]): string[] {
  return listElements(values).map((element) => {
    const semicolon = element.indexOf(";");
    return semicolon === -1 ? element : trimSpace(element.slice(0, semicolon));
  });
}
