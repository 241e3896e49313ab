import type { Socket } from "node:net";
import { type Cleanups, entry, type StartedProxy, startProxy, startTcp, textFrame } from "./proxy.fixture.ts";

export const EARLY = textFrame("b1", "backend") + textFrame("b2", "backend");
export const INTERIM = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";

export function byteByByte(text: string): string[] {
  return Array.from({ length: text.length }, (_, index) => text.charAt(index));
}

/** Each piece by itself: whoever reads it in this process has done so a turn later. */
async function writePieces(socket: Socket, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece, "latin1");
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
}

export interface Script {
  readonly pieces: readonly string[];
  /** What follows the last piece; not given = the backend echoes from there on. */
  readonly ending?: "fin" | "rst";
  /** Answers as soon as it is connected to, before it has read anything. */
  readonly when?: "at once";
}

export interface Scripted {
  readonly port: number;
  /** What each connection has received, in the order of their coming. */
  readonly received: string[];
  readonly sockets: Socket[];
  script: Script;
}

/** A backend that answers handshakes as its script says at the time, and then echoes. */
export async function startScripted(cleanups: Cleanups, first: Script): Promise<Scripted> {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const scripted = { port: 0, received, sockets, script: first };
  scripted.port = await startTcp(cleanups, (socket) => {
    const { pieces, ending, when } = scripted.script;
    const index = sockets.push(socket) - 1;
    received.push("");
    socket.setNoDelay(true);
    let isEchoing = false;
    const speak = async (): Promise<void> => {
      await writePieces(socket, pieces);
      if (ending === "fin") socket.end();
      else if (ending === "rst") socket.resetAndDestroy();
    };
    socket.on("end", () => socket.end());
    socket.on("data", (chunk) => {
      received[index] += chunk.toString("latin1");
      if (isEchoing) return void socket.write(chunk);
      isEchoing = received[index]?.includes("\r\n\r\n") === true;
      if (isEchoing && when === undefined) void speak();
    });
    if (when === "at once") void speak();
  });
  return scripted;
}

/** A proxy before such a backend, without a deadline: nothing of this may need one to come to its end. */
export async function startWith(
  cleanups: Cleanups,
  script: Script,
): Promise<{ proxy: StartedProxy; backend: Scripted }> {
  const backend = await startScripted(cleanups, script);
  const proxy = await startProxy(cleanups, {
    backends: [backend.port],
    entries: [entry({ policy: { handshakeMs: 0 } })],
  });
  return { proxy, backend };
}
