/**
 * A demo backend: `node backend.ts <port>`. Echoes every WebSocket message as it came; with `?who` in the path it first
 * says which backend this is, as JSON. Over plain HTTP it serves the chat page. Ends with whoever started it.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const port = Number(process.argv[2] ?? "8010");
const page = new URL("./chat.html", import.meta.url);

const server = createServer((request, response) => {
  const path = (request.url ?? "/").split("?")[0];
  response.setHeader("x-demo-backend", String(port));
  if (path !== "/") {
    response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
    return;
  }
  readFile(page).then(
    (html) =>
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" }).end(html),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});

const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket, request) => {
  socket.on("error", () => socket.terminate());
  if (new URL(request.url ?? "/", "http://demo").searchParams.has("who")) {
    socket.send(JSON.stringify({ backend: String(port) }));
  }
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.on("error", (error) => {
  console.error(`backend ${port}: ${error.message}`);
  process.exit(1);
});
server.listen(port, "127.0.0.1", () => process.send?.("listening"));
process.on("disconnect", () => process.exit(0));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0));
