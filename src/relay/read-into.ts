import { Socket } from "node:net";

/** Takes what was read into the buffer; false = stop reading. */
type ReadCallback = (this: Socket, size: number, buffer: Uint8Array) => boolean;

/** Where Node keeps what `onread` (an option of `net.connect`) was given, on the socket itself. */
interface ReadKeys {
  readonly buffer: symbol;
  readonly callback: symbol;
}

type OpenSocket = Socket & {
  readonly _handle?: { readonly useUserBuffer?: (buffer: Uint8Array) => void } | null;
  [key: symbol]: unknown;
};

const KEYS = findKeys();

/**
 * Makes a socket read into a buffer of ours from its next read on, as `onread` does for sockets that are made with it:
 * Node offers that to whoever connects, not to a server. 'end', 'close', pause and resume stay as they are; the caller
 * pauses or resumes the socket in the same turn. False where this Node or this kind of socket does not allow it: all
 * comes as 'data'.
 *
 * Not where bytes that were read before still wait in the socket: in some orders of pause and resume Node reads on
 * before it has emitted them, and what it reads would overtake them.
 *
 * Not for TLS: a TLS socket's writes are never done at once, which whoever shares a buffer relies on.
 */
export function readInto(socket: Socket, buffer: Uint8Array, onRead: ReadCallback): boolean {
  const open = socket as OpenSocket;
  const handle = open._handle;
  if (KEYS === undefined || "encrypted" in socket || typeof handle?.useUserBuffer !== "function") return false;
  if (socket.readableLength > 0) return false;
  open[KEYS.buffer] = buffer;
  open[KEYS.callback] = onRead;
  handle.useUserBuffer(buffer);
  return true;
}

/** Found by what they hold, not by their names. */
function findKeys(): ReadKeys | undefined {
  const buffer = new Uint8Array(1);
  const callback = (): boolean => true;
  const probe = new Socket({ onread: { buffer, callback } }) as OpenSocket;
  const keys = Object.getOwnPropertySymbols(probe);
  const bufferKey = keys.find((key) => probe[key] === buffer);
  const callbackKey = keys.find((key) => probe[key] === callback);
  probe.destroy();
  return bufferKey === undefined || callbackKey === undefined
    ? undefined
    : { buffer: bufferKey, callback: callbackKey };
}
