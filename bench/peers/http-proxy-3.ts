import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import { type Peer, RunningPeer } from "./peer.ts";

const SERVER = fileURLToPath(new URL("./http-proxy-3-server.ts", import.meta.url));
const PACKAGE = join(import.meta.dirname, "../../node_modules/http-proxy-3/package.json");
const START_TIMEOUT_MS = 20_000;

/** The library that most proxies written for Node stand on, under the Node that runs Holdfast. */
export const httpProxy3: Peer = {
  name: "http-proxy-3",
  howToGet: "run npm ci",
  version: () => {
    try {
      return (JSON.parse(readFileSync(PACKAGE, "utf8")) as { version: string }).version;
    } catch {
      return undefined;
    }
  },
  start: async ({ pin, folder, backendPort }) => {
    const child = await Child.start([...pin, process.execPath, SERVER, String(backendPort)], {
      outputFile: join(folder, "output.log"),
      endSignal: "SIGTERM",
    });
    return RunningPeer.of(child, () =>
      child.until("saying its port", START_TIMEOUT_MS, () => {
        const match = /^port (\d+)$/m.exec(child.output());
        return match === null ? undefined : Number(match[1]);
      }),
    );
  },
};
