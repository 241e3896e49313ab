/** `node http-proxy-3-server.ts <backend port>`: http-proxy-3 as its README starts it for WebSocket. Says its port. */
import { createServer } from "node:http";
import { createProxyServer } from "http-proxy-3";

const proxy = createProxyServer({ target: `http://127.0.0.1:${process.argv[2]}`, ws: true, xfwd: true });
// A client that goes away is no reason to end.
proxy.on("error", (_error, _request, response) => {
  if ("destroy" in response) response.destroy();
});

const server = createServer((request, response) => {
  proxy.web(request, response);
});
server.on("upgrade", (request, socket, head) => {
  proxy.ws(request, socket, head);
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") console.log(`port ${address.port}`);
});
