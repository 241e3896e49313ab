import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { Fault } from "./fault.ts";

/** Over which kind of listener a request came. */
export type Road = "tcp" | "socket";

const LOCAL_ONLY =
  "the operator's paths are served on this machine only: ask 127.0.0.1 from inside the container or Pod " +
  "(kubectl exec), or the unix socket of --admin-socket";

/** Said by proxies of a request that they pass on. */
const PASSED_ON: readonly string[] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "via"];

/**
 * Why a request may not reach the operator's paths; undefined = it may. There is no access control yet: whoever may
 * connect locally is the operator. A web page in a browser on this machine connects locally too, under any name that it
 * lets point here, so names and origins are looked at as well.
 */
export function guardFault(request: IncomingMessage, road: Road): Fault | undefined {
  const fault = road === "tcp" ? tcpFault(request) : undefined;
  if (fault !== undefined) return fault;
  if (request.headers.origin === undefined) return undefined;
  return { code: "from_browser", field: "origin", message: "web pages may not ask here: send no Origin header" };
}

/** A POST without this header is one that any web page could send without being asked. */
export function contentTypeFault(request: IncomingMessage): Fault | undefined {
  if (/^application\/json[ \t]*(;|$)/i.test(request.headers["content-type"] ?? "")) return undefined;
  const message = "send the header content-type: application/json and a JSON object, {} for none";
  return { code: "content_type", field: "content-type", message };
}

function tcpFault(request: IncomingMessage): Fault | undefined {
  const { remoteAddress, localAddress } = request.socket;
  if (!isLoopback(remoteAddress) || !isLoopback(localAddress)) return { code: "not_local", message: LOCAL_ONLY };
  const passedOn = PASSED_ON.find((name) => request.headers[name] !== undefined);
  if (passedOn !== undefined) {
    const message = `a proxy has passed this request on, so nobody knows where it came from; ${LOCAL_ONLY}`;
    return { code: "not_local", field: passedOn, message };
  }
  if (isLocalName(request.headers.host ?? "")) return undefined;
  const message = "the Host header must be localhost or a loopback address, with or without a port";
  return { code: "wrong_host", field: "host", message };
}

/** undefined: the connection is gone already. */
function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address === "::1" || /^(::ffff:)?127\.[0-9.]+$/i.test(address));
}

function isLocalName(host: string): boolean {
  const [, six, name = ""] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::[0-9]{1,5})?$/i.exec(host) ?? [];
  if (six !== undefined) return six === "::1";
  return /^localhost\.?$/i.test(name) || (isIP(name) === 4 && name.startsWith("127."));
}
