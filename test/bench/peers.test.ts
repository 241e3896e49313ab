import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { PEERS } from "../../bench/peers/all-peers.ts";
import { isRunning, processTree } from "../../bench/peers/process-tree.ts";

/** Holdfast has to be built for that and has integration tests of its own. */
const OTHERS = PEERS.filter(({ name }) => name !== "holdfast");

for (const peer of OTHERS) {
  test.skipIf(peer.version() === undefined)(
    `${peer.name} carries a tunnel to the backend with X-Forwarded-For, and all of it ends when told`,
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "holdfast-peers-"));
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const sockets = new WebSocketServer({ server });
      sockets.on("connection", (socket, { headers }) => socket.send(String(headers["x-forwarded-for"])));
      const backendPort = (server.address() as { port: number }).port;
      const running = await peer.start({ backendPort, folder, pin: [] });
      const tree = processTree(running.pid);
      try {
        expect(running.pids()).toContain(running.pid);
        expect(running.pids().length).toBe(peer.name === "nginx" ? 2 : 1);
        const client = new WebSocket(`ws://127.0.0.1:${running.port}/`);
        const [message] = (await once(client, "message")) as [Buffer];
        expect(message.toString()).toContain("127.0.0.1");
        client.terminate();
      } finally {
        await running[Symbol.asyncDispose]();
        server.close();
        server.closeAllConnections();
        sockets.close();
        await rm(folder, { recursive: true, force: true });
      }
      expect(tree.filter(isRunning)).toEqual([]);
    },
  );
}
