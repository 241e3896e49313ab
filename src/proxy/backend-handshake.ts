import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { ProxyErrorCode } from "./answers.ts";
import { pairsOf } from "./raw-headers.ts";
import { formatRequestHead } from "./request-head.ts";
import { readSwitchHead } from "./switch-head.ts";
import type { HeaderPair, OutgoingHead } from "./types.ts";

/** What a backend says to a handshake: a 101, another answer with its body still to be read, or nothing usable. */
export type HandshakeAnswer =
  | {
      readonly kind: "switched";
      readonly headers: readonly HeaderPair[];
      /** Read behind the head. What comes next is lost to whoever does not listen by the end of this turn. */
      readonly early: Buffer;
    }
  | { readonly kind: "refused"; readonly response: IncomingMessage }
  | { readonly kind: "failed"; readonly code: ProxyErrorCode; readonly detail: string };

interface Exchange {
  readonly socket: Socket;
  readonly head: OutgoingHead;
  readonly maxHeadBytes: number;
  readonly done: (answer: HandshakeAnswer) => void;
}

/**
 * Writes a handshake on a connection that stands and reads the answer. `done` is called once, later than this returns;
 * interim answers (1xx other than 101) are passed over. Throws a TypeError for a head that cannot be written.
 *
 * The everyday 101 is read here; Node's HTTP client, which costs more than all the rest of a handshake, sees only the
 * answers that are anything else, or in pieces.
 */
export function sendHandshake(
  socket: Socket,
  head: OutgoingHead,
  options: { readonly maxHeadBytes: number },
  done: (answer: HandshakeAnswer) => void,
): void {
  const text = formatRequestHead(head);
  awaitSwitch({ socket, head, maxHeadBytes: options.maxHeadBytes, done });
  socket.write(text, "latin1");
}

function awaitSwitch(exchange: Exchange): void {
  const { socket, maxHeadBytes, done } = exchange;
  const letGo = (): void => {
    socket.off("data", onData).off("end", onGone).off("error", onGone).off("close", onGone);
  };
  const onData = (chunk: Buffer): void => {
    letGo();
    const head = readSwitchHead(chunk, maxHeadBytes);
    if (head === undefined) {
      socket.pause();
      parseWhole(exchange, chunk);
    } else done({ kind: "switched", headers: head.headers, early: chunk.subarray(head.size) });
  };
  const onGone = (error?: NodeJS.ErrnoException | boolean): void => {
    letGo();
    const reason = typeof error === "object" ? error.code : undefined;
    done({ kind: "failed", code: "HF_BACKEND_RESET", detail: reason ?? "the connection ended" });
  };
  socket.on("data", onData).on("end", onGone).on("error", onGone).on("close", onGone);
}

/** Gives the whole answer, from its first byte, to Node's strict parser; it may have come in part only. */
function parseWhole({ socket, head, maxHeadBytes, done }: Exchange, received: Buffer): void {
  let isDone = false;
  const settle = (answer: HandshakeAnswer): void => {
    if (isDone) return;
    isDone = true;
    done(answer);
  };
  socket.unshift(received);
  swallowNextWrite(socket);
  const request = httpRequest({
    createConnection: () => socket,
    method: head.method,
    path: head.target,
    headers: head.headers.flat(),
    setHost: false,
    maxHeaderSize: maxHeadBytes,
    insecureHTTPParser: false,
  });
  // As on the client's side: no header is dropped in silence, bytes bound them.
  request.maxHeadersCount = 0;
  request.on("socket", () => socket.resume());
  request.on("error", (error: NodeJS.ErrnoException) => {
    const isGarbage = error.code?.startsWith("HPE_") === true;
    const code = isGarbage ? "HF_BACKEND_BAD_RESPONSE" : "HF_BACKEND_RESET";
    settle({ kind: "failed", code, detail: error.code ?? error.message });
  });
  request.on("upgrade", (response, _socket, early) => {
    settle({ kind: "switched", headers: pairsOf(response.rawHeaders), early });
  });
  request.on("response", (response) => {
    response.on("error", () => {});
    if (response.statusCode === 101) {
      settle({ kind: "failed", code: "HF_BAD_SWITCH", detail: "a 101 without Upgrade" });
      socket.destroy();
    } else settle({ kind: "refused", response });
  });
  request.end();
}

/** The backend has the head already: when Node's client writes it, without a body in one piece, it goes nowhere. */
function swallowNextWrite(socket: Socket): void {
  const swallow = (...args: readonly unknown[]): boolean => {
    Reflect.deleteProperty(socket, "write");
    const written = args.at(-1);
    if (typeof written === "function") queueMicrotask(() => void written());
    return true;
  };
  socket.write = swallow;
}
