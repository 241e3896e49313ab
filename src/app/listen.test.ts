import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { formatAddress, listenOn } from "./listen.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(at: { readonly host: string; readonly port: number }): Promise<AddressInfo> {
  const server = createServer();
  server.listen(at);
  await once(server, "listening");
  servers.push(server);
  return server.address() as AddressInfo;
}

test("a free port is given and told", async () => {
  const bound = await listenOn(listen, { host: "127.0.0.1", port: 0 }, "--http");
  expect(bound).toMatchObject({ address: "127.0.0.1", port: expect.any(Number) });
});

test("a port in use is refused in words that name the address and the flag", async () => {
  const { port } = await listen({ host: "127.0.0.1", port: 0 });
  await expect(listenOn(listen, { host: "127.0.0.1", port }, "--http")).rejects.toThrow(
    `cannot listen on 127.0.0.1:${port}: the port is in use by another process. Choose another address with --http.`,
  );
});

test("without a host, and without IPv6 on the machine, every IPv4 address is listened on", async () => {
  const tried: string[] = [];
  const withoutIPv6 = async (at: { readonly host: string; readonly port: number }) => {
    tried.push(at.host);
    if (at.host === "::") throw Object.assign(new Error("no IPv6"), { code: "EAFNOSUPPORT" });
    return { address: at.host, port: at.port };
  };
  expect(await listenOn(withoutIPv6, { host: undefined, port: 80 }, "--http")).toEqual({
    address: "0.0.0.0",
    port: 80,
  });
  expect(tried).toEqual(["::", "0.0.0.0"]);
});

test.for([
  { at: { host: undefined, port: 1 }, want: ":1" },
  { at: { host: "::1", port: 1 }, want: "[::1]:1" },
  { at: { host: "localhost", port: 1 }, want: "localhost:1" },
])("$want is how it is written", ({ at, want }) => {
  expect(formatAddress(at)).toBe(want);
});
