import type { Socket } from "node:net";
import { answerHeaders, type ProxyErrorCode } from "./answers.ts";
import { ClientConnection, parserFault } from "./connections.ts";
import { type DataPath, tellRefused } from "./data-path.ts";
import { refuseSocket } from "./refuse.ts";

/** Why a connection gets its last word. */
interface LastWord {
  readonly code: ProxyErrorCode;
  readonly detail: string;
}

/** The last word on a connection, unless an answer is already on its way. */
export function refuseConnection(connection: ClientConnection, { code, detail }: LastWord, path: DataPath): void {
  const { socket, clientAddress, hasAnswered } = connection;
  if (!connection.giveUp()) return void socket.resume();
  tellRefused(path.observer, { code, detail, rule: undefined, clientAddress, isUpgrade: false });
  if (hasAnswered) return void socket.destroy();
  refuseSocket(socket, { code, detail, headers: answerHeaders(code), accept: undefined }, path);
}

/** The method CONNECT, for which Node lets go of the socket. */
export function refuseConnect(socket: Socket, path: DataPath): void {
  const connection = ClientConnection.of(socket);
  if (connection === undefined) return void socket.destroy();
  refuseConnection(connection, { code: "HF_METHOD", detail: "CONNECT is not served" }, path);
}

/** What Node's parser cannot read, and heads that come too late. */
export function refuseGarbage(socket: Socket, error: NodeJS.ErrnoException, path: DataPath): void {
  const connection = ClientConnection.of(socket);
  const isParserFault = error.code?.startsWith("HPE_") === true || error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  if (connection === undefined || !isParserFault || !socket.writable) return void socket.destroy();
  // The parser is done for: what still comes is discarded without it.
  socket.removeAllListeners("data").on("data", () => {});
  refuseConnection(connection, parserFault(error), path);
}
