/**
 * Runs a command in a network namespace of its own, where test clusters may have addresses that exist nowhere else:
 *
 *     node scripts/in-cluster-namespace.ts npx vitest run --project cluster
 *
 * The namespace has loopback, the node address 198.19.255.1, and every 198.18.x.y as an address that any process in it
 * can bind and reach (RFC 2544's test range), because an API server refuses loopback addresses in EndpointSlices. It has
 * no way out. As root by `unshare --net`, otherwise in a user namespace. Where neither can be had the command runs as it
 * is, the reason is printed, and tests that need a cluster are skipped; with CI=true that is an error.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { isInNamespace } from "../test/cluster/fixtures/cluster-tools.ts";
import { namespaceCommand, whyNoNamespace } from "../test/cluster/fixtures/network-namespace.ts";

const [command, ...args] = process.argv.slice(2);
if (command === undefined) {
  console.error("usage: in-cluster-namespace.ts command [argument...]");
  process.exit(2);
}
const reason = isInNamespace() ? undefined : whyNoNamespace();
if (reason !== undefined) {
  console.error(`no network namespace: ${reason}`);
  if (process.env["CI"] === "true") process.exit(1);
}
const isWrapped = !isInNamespace() && reason === undefined;
const [file = command, ...rest] = isWrapped ? namespaceCommand([command, ...args]) : [command, ...args];
const child = spawn(file, rest, { stdio: "inherit" });
// The terminal sends SIGINT to the whole group; SIGTERM comes to this process alone.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("error", (error) => {
  console.error(`cannot run ${file}: ${error.message}`);
  process.exit(127);
});
child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
