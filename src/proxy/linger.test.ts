import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { TimerWheel } from "../relay/index.ts";
import { breakOff, linger } from "./linger.ts";
import { Cleanups } from "./proxy.fixture.ts";

/** Both ends of a connection; nobody reads at the client's, and neither end answers a FIN. */
async function connected(cleanups: Cleanups): Promise<{ client: Socket; server: Socket }> {
  const listener = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<Socket>((resolve) => listener.once("connection", resolve));
  const { port } = listener.address() as AddressInfo;
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const server = await accepted;
  cleanups.add(async () => {
    client.destroy();
    server.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  client.on("error", () => {});
  server.on("error", () => {});
  return { client, server };
}

test.for([
  { name: "that has everything has the linger's time to end its half", bytes: 1, ms: 5_000 },
  { name: "that does not read has longer, but not for ever", bytes: 32 * 1024 * 1024, ms: 60_000 },
])("a peer $name", async ({ bytes, ms }) => {
  await using cleanups = new Cleanups();
  const { client, server } = await connected(cleanups);
  const wheel = new TimerWheel({ now: () => 0, tickMs: 10 });
  client.pause();
  await new Promise<void>((resolve) => {
    server.write(Buffer.alloc(bytes), () => resolve());
    if (bytes > 1) resolve();
  });
  linger(server, { wheel, limits: { lingerMs: 5_000, slowReaderMs: 60_000 } });
  if (bytes === 1) await expect.poll(() => server.writableFinished).toBe(true);
  wheel.advance(ms - 10);
  expect(server.destroyed).toBe(false);
  wheel.advance(ms + 10);
  expect(server.destroyed).toBe(true);
  await expect.poll(() => wheel.size).toBe(0);
});

test.for([
  { name: "is under way is closed all the same", isEnded: true, end: "fin" },
  { name: "has not been said is reset", isEnded: false, end: "ECONNRESET" },
])("a connection that is broken off while its FIN $name", async ({ isEnded, end }) => {
  await using cleanups = new Cleanups();
  const { client, server } = await connected(cleanups);
  let isClosed = false;
  server.on("close", () => void (isClosed = true));
  const ended = new Promise((resolve) => {
    client.on("end", () => resolve("fin")).on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  client.resume();
  server.write("half an answer", () => {
    if (isEnded) server.end();
    process.nextTick(() => breakOff(server));
  });
  expect(await ended).toBe(end);
  await expect.poll(() => isClosed).toBe(true);
});
