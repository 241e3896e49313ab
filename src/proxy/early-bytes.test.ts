import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { EarlyBytes } from "./early-bytes.ts";

test.for([
  { name: "by their sum", piece: 512, maxBytes: 8 * 1024, mostPieces: 200 },
  { name: "by their number, when each comes by itself", piece: 1, maxBytes: 64 * 1024, mostPieces: 2_000 },
])("early bytes are bounded $name, and none is lost", async ({ piece, maxBytes, mostPieces }) => {
  let kept: EarlyBytes | undefined;
  let server: Socket | undefined;
  const listener = createServer((socket) => {
    server = socket.on("error", () => {});
    kept = new EarlyBytes(socket, Buffer.alloc(0), { maxBytes, onGone: () => {} });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const client = connect({ port: (listener.address() as AddressInfo).port, host: "127.0.0.1", noDelay: true });
  await expect.poll(() => server !== undefined).toBe(true);
  // Each piece goes when the one before has been read, until reading rests.
  let pieces = 0;
  while (server?.isPaused() === false && pieces < mostPieces) {
    const read = server.bytesRead;
    client.write(Buffer.alloc(piece));
    pieces++;
    while (server.bytesRead === read) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(pieces).toBeLessThan(mostPieces);
  expect(server?.isPaused()).toBe(true);
  expect(kept?.take().length).toBe(pieces * piece);
  client.destroy();
  server?.destroy();
  await new Promise((resolve) => listener.close(resolve));
});
