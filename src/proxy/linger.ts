import type { Socket } from "node:net";
import type { DataPath, ProxyLimits } from "./data-path.ts";

export interface LingerOptions extends Pick<DataPath, "wheel"> {
  readonly limits: Pick<ProxyLimits, "lingerMs" | "slowReaderMs">;
}

/**
 * Ends our half, then reads and discards until the peer ends its own or the time is over. Closing with unread bytes
 * makes the kernel send RST, which can take the answer away from under the peer's hands (RFC 9112 9.6).
 */
export function linger(socket: Socket, { wheel, limits }: LingerOptions): void {
  if (socket.destroyed) return;
  socket.resume();
  const drop = (): void => void socket.destroy();
  let timer = wheel.schedule(socket.writableFinished ? limits.lingerMs : limits.slowReaderMs, drop);
  if (!socket.writableFinished) {
    socket.once("finish", () => {
      wheel.cancel(timer);
      if (!socket.destroyed) timer = wheel.schedule(limits.lingerMs, drop);
    });
  }
  socket.once("close", () => wheel.cancel(timer));
  socket.end();
}

/**
 * Ends a connection so that half an answer never looks whole: by RST, since without a length or chunks FIN is the end of
 * the body. Node cannot reset a socket whose FIN is on its way, and would keep its descriptor for ever.
 */
export function breakOff(socket: Socket): void {
  if (socket.writableEnded && socket.writableLength === 0) socket.destroy();
  else socket.resetAndDestroy();
}
