import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/**
 * The body of a client's request as undici reads it, chunk by chunk, without copies. undici destroys the stream it
 * sends when the answer is there first, and destroying the request itself would tear down the client's connection:
 * so it gets this one, and the rest of the body is discarded.
 */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage;
  readonly #onData = (chunk: Buffer): void => {
    if (!this.push(chunk)) this.#request.pause();
  };
  readonly #onEnd = (): void => void this.push(null);

  constructor(request: IncomingMessage) {
    super({ highWaterMark: request.readableHighWaterMark });
    this.#request = request;
    // Whoever destroys this knows why; the exchange hears of it from undici or from the client's connection.
    this.on("error", () => {});
    request.once("end", this.#onEnd);
  }

  override _read(): void {
    if (this.#request.listenerCount("data") === 0) this.#request.on("data", this.#onData);
    this.#request.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#request.off("data", this.#onData).off("end", this.#onEnd).resume();
    done(error);
  }
}

/** Whether the request has a body, by its framing (RFC 9112 6.3). */
export function hasBody(request: IncomingMessage): boolean {
  if (request.headers["transfer-encoding"] !== undefined) return true;
  const length = request.headers["content-length"];
  return length !== undefined && !/^0+$/.test(length);
}
