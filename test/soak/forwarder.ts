/**
 * A process that only carries bytes, so that it can be killed with everything that goes through it, as a client's or a
 * backend's own process would be. Tells its ports on its first line of output.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

const [backendPort, ownPort] = process.argv.slice(2).map(Number);

function join(from: Socket, to: Socket): void {
  from.pipe(to);
  to.pipe(from);
  for (const socket of [from, to]) socket.on("error", () => {});
  from.on("close", () => to.destroy());
  to.on("close", () => from.destroy());
}

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Before backends: what the proxy dials. */
const before = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
  join(socket, connect({ port: backendPort ?? 0, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })),
);

/** Behind clients: their first line is the address that they want to have, and the port that they want to reach. */
const behind = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on("error", () => {});
  socket.once("data", (line: Buffer) => {
    const [localAddress, port] = line.subarray(0, line.indexOf(10)).toString().split(" ");
    const rest = line.subarray(line.indexOf(10) + 1);
    const to = connect({ port: Number(port), host: "127.0.0.1", localAddress, allowHalfOpen: true, noDelay: true });
    if (rest.length > 0) to.write(rest);
    join(socket, to);
  });
});

process.stdout.write(`${await listen(before, ownPort)} ${await listen(behind)}\n`);
