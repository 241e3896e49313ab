import { once } from "node:events";
import { createServer, type AddressInfo, connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { NO_LIMITS, type Stage } from "./relay-stage.contract.ts";
import { negotiatedBy, type Tunnel } from "./index.ts";

/** Reads up to the end of an HTTP head, and returns what lies behind it. */
async function readHead(socket: Socket): Promise<{ head: Buffer; early: Buffer }> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end >= 0) return { head: bytes.subarray(0, end + 4), early: bytes.subarray(end + 4) };
    const [chunk] = (await once(socket, "data")) as [Buffer];
    socket.pause();
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.indexOf("\r\n\r\n") < 0) socket.resume();
  }
}

export interface WebSockets {
  readonly client: WebSocket;
  /** The server's end of the same connection. */
  readonly server: WebSocket;
  readonly tunnel: Tunnel<string>;
}

/** A `ws` client and a `ws` server, joined by the relay after their handshake went by untouched. */
export async function joinWebSockets(stage: Stage, options: { readonly deflate: boolean }): Promise<WebSockets> {
  const backend = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: options.deflate });
  await once(backend, "listening");
  const { port: backendPort } = backend.address() as AddressInfo;
  const joined = Promise.withResolvers<Tunnel<string>>();
  const front = createServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => {});
    const dialed = connect({ port: backendPort, host: "127.0.0.1", allowHalfOpen: true }).on("error", () => {});
    void (async () => {
      const request = await readHead(client);
      dialed.write(request.head);
      const answer = await readHead(dialed);
      client.write(answer.head);
      const [up, down] = [request.early, answer.early];
      const extensions = /^Sec-WebSocket-Extensions: ([a-z-]*)/im.exec(answer.head.toString("latin1"))?.slice(1) ?? [];
      const tunnel = stage.relay.join({
        client: { socket: client, early: up },
        backend: { socket: dialed, early: down },
        policy: { current: NO_LIMITS },
        negotiated: negotiatedBy(extensions, undefined),
        context: "ws",
      });
      joined.resolve(tunnel);
    })();
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  const accepted = once(backend, "connection") as Promise<[WebSocket]>;
  const { port } = front.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: options.deflate });
  client.on("error", () => {});
  const [[server]] = await Promise.all([accepted, once(client, "open")]);
  server.on("error", () => {});
  onTestFinished(() => {
    client.terminate();
    server.terminate();
    backend.close();
    front.close();
  });
  return { client, server, tunnel: await joined.promise };
}

/** The code and the cleanliness that a `ws` end reports when it closes. */
export async function closeOf(socket: WebSocket): Promise<number> {
  const [code] = (await once(socket, "close")) as [number, Buffer];
  return code;
}
