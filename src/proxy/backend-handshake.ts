import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { ProxyErrorCode } from "./answers.ts";
import type { OutgoingHead } from "./types.ts";

/** What a backend says to a handshake: a 101, another answer with its body still to be read, or nothing usable. */
export type HandshakeAnswer =
  | { readonly kind: "switched"; readonly response: IncomingMessage; readonly socket: Socket; readonly early: Buffer }
  | { readonly kind: "refused"; readonly response: IncomingMessage }
  | { readonly kind: "failed"; readonly code: ProxyErrorCode; readonly detail: string };

/**
 * Writes a handshake on a connection that stands and reads the answer with Node's strict parser. `done` is called
 * once; interim answers (1xx other than 101) are passed over.
 */
export function sendHandshake(
  socket: Socket,
  head: OutgoingHead,
  options: { readonly maxHeadBytes: number },
  done: (answer: HandshakeAnswer) => void,
): ClientRequest {
  let isDone = false;
  const settle = (answer: HandshakeAnswer): void => {
    if (isDone) return;
    isDone = true;
    done(answer);
  };
  const request = httpRequest({
    createConnection: () => socket,
    method: head.method,
    path: head.target,
    headers: head.headers.flat(),
    setHost: false,
    maxHeaderSize: options.maxHeadBytes,
    insecureHTTPParser: false,
  });
  // As on the client's side: no header is dropped in silence, bytes bound them.
  request.maxHeadersCount = 0;
  request.on("error", (error: NodeJS.ErrnoException) => {
    const isGarbage = error.code?.startsWith("HPE_") === true;
    const code = isGarbage ? "HF_BACKEND_BAD_RESPONSE" : "HF_BACKEND_RESET";
    settle({ kind: "failed", code, detail: error.code ?? error.message });
  });
  request.on("upgrade", (response, _socket, early) => settle({ kind: "switched", response, socket, early }));
  request.on("response", (response) => {
    response.on("error", () => {});
    if (response.statusCode === 101) {
      settle({ kind: "failed", code: "HF_BAD_SWITCH", detail: "a 101 without Upgrade" });
      socket.destroy();
    } else settle({ kind: "refused", response });
  });
  request.end();
  return request;
}
