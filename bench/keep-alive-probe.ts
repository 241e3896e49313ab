import type { Socket } from "node:net";
import { dialRaw } from "../test/integration/fixtures/raw.ts";

/** One connection that asks again and again; cheap enough to see a change within a fraction of a millisecond. */
export class KeepAliveProbe implements AsyncDisposable {
  readonly #address: string;
  #socket: Socket;

  private constructor(address: string, socket: Socket) {
    this.#address = address;
    this.#socket = socket;
  }

  static async open(address: string): Promise<KeepAliveProbe> {
    return new KeepAliveProbe(address, await dialRaw(address));
  }

  /** The whole answer, head and body. */
  async get(path: string, host: string): Promise<string> {
    if (this.#socket.destroyed) this.#socket = await dialRaw(this.#address);
    const socket = this.#socket;
    return new Promise((resolve) => {
      let answer = "";
      const done = (): void => {
        socket.off("data", take).off("close", done);
        resolve(answer);
      };
      const take = (chunk: Buffer): void => {
        answer += chunk.toString("latin1");
        if (isComplete(answer)) done();
      };
      socket.on("data", take).on("close", done);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }
}

function isComplete(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /content-length: (\d+)/i.exec(answer)?.[1];
  if (length !== undefined) return answer.length >= end + 4 + Number(length);
  return answer.endsWith("0\r\n\r\n");
}
