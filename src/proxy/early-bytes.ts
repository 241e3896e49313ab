import type { Socket } from "node:net";

/** Many small chunks cost more memory than their bytes say. */
const MAX_CHUNKS = 1024;

/**
 * Reads a client's socket while its handshake is under way: what it sends belongs to the tunnel, and its end or its
 * failure must be seen at once. Reading rests at `maxBytes`; from then on only the kernel knows whether it is there.
 */
export class EarlyBytes {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #maxBytes: number;
  readonly #onGone: () => void;
  #bytes: number;
  readonly #onData = (chunk: Buffer): void => this.#keep(chunk);

  /** `head` was read with the request's head. `onGone` is called when the client ends its half or its socket closes. */
  constructor(socket: Socket, head: Buffer, options: { readonly maxBytes: number; readonly onGone: () => void }) {
    this.#socket = socket;
    this.#maxBytes = options.maxBytes;
    this.#onGone = options.onGone;
    this.#bytes = head.length;
    if (head.length > 0) this.#chunks.push(head);
    socket.on("data", this.#onData).on("end", this.#onGone).on("close", this.#onGone);
    if (this.#bytes >= this.#maxBytes) socket.pause();
    else socket.resume();
  }

  /** Gives everything up to here, in order. Whoever takes it has to listen before this turn of the event loop ends. */
  take(): Buffer {
    this.stop();
    const [only] = this.#chunks;
    return only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks);
  }

  /** Stops listening. */
  stop(): void {
    this.#socket.off("data", this.#onData).off("end", this.#onGone).off("close", this.#onGone);
  }

  #keep(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= this.#maxBytes || this.#chunks.length >= MAX_CHUNKS) this.#socket.pause();
  }
}
