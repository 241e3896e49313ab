import type { Socket } from "node:net";
import type { TimerWheel } from "../relay/index.ts";

export interface LingerOptions {
  readonly wheel: TimerWheel;
  /** Milliseconds for the peer to end its half once all of ours is sent. */
  readonly lingerMs: number;
}

/**
 * Ends our half, then reads and discards until the peer ends its own or the time is over. Closing with unread bytes
 * makes the kernel send RST, which can take the answer away from under the peer's hands (RFC 9112 9.6).
 */
export function linger(socket: Socket, { wheel, lingerMs }: LingerOptions): void {
  if (socket.destroyed) return;
  socket.resume();
  const wait = (): void => {
    if (socket.destroyed) return;
    const timer = wheel.schedule(lingerMs, () => socket.destroy());
    socket.once("close", () => wheel.cancel(timer));
  };
  if (socket.writableFinished) wait();
  else socket.once("finish", wait);
  socket.end();
}
