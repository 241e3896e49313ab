import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Child } from "./child.ts";
import { type Peer, RunningPeer } from "./peer.ts";

const ROOT = join(import.meta.dirname, "../..");
const BINARY = join(ROOT, "bin/holdfast.cjs");
const START_TIMEOUT_MS = 20_000;

/** Holdfast as it is installed, with everything switched on that a route and a flag can switch on. */
export const holdfast: Peer = {
  name: "holdfast",
  howToGet: "run npm run build",
  version: () => {
    if (!existsSync(join(ROOT, "dist/app/main.js"))) return undefined;
    return (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
  },
  start: async ({ pin, folder, backendPort }) => {
    const manifests = join(folder, "manifests");
    await mkdir(manifests);
    await writeFile(join(manifests, "bench.yaml"), benchManifests(backendPort));
    const source = ["serve", "--source", "files", "--dir", manifests];
    const listeners = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    const logs = ["--log-level", "info", "--log-format", "json"];
    const child = await Child.start([...pin, process.execPath, BINARY, ...source, ...listeners, ...logs], {
      outputFile: join(folder, "output.log"),
      // SIGTERM would begin the grace of a load balancer.
      endSignal: "SIGKILL",
    });
    return RunningPeer.of(child, () =>
      child.until("listening", START_TIMEOUT_MS, () => httpPort(child.output().split("\n"))),
    );
  },
};

/** From the line that says where clients connect; undefined before it is written, whole. */
function httpPort(lines: readonly string[]): number | undefined {
  for (const line of lines) {
    if (!line.includes('"listening"') || !line.endsWith("}")) continue;
    const { listener, port } = JSON.parse(line) as { readonly listener?: string; readonly port?: number };
    if (listener === "http") return port;
  }
  return undefined;
}

/** The timers are armed and never fire within a measurement. */
function benchManifests(backendPort: number): string {
  return `apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata: {name: bench, namespace: bench}
spec:
  hostnames: [bench.example]
  rules:
  - name: main
    matches: [{path: {type: PathPrefix, value: /}}]
    backendRefs: [{name: bench, port: 80}]
    requestHeaders:
      remove: [X-Debug]
      set: [{name: X-Tenant, value: bench}]
      add: [{name: X-Seen-By, value: holdfast}]
    responseHeaders:
      remove: [Server]
      set: [{name: Cache-Control, value: no-store}]
      add: [{name: X-Served-By, value: holdfast}]
    timeouts: {handshake: 5s, responseHeaders: 30s, request: 10m, idle: 1h}
    lifetime: {max: 12h, jitterPercent: 30}
---
apiVersion: v1
kind: Service
metadata: {name: bench, namespace: bench}
spec: {ports: [{name: ws, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: bench-1, namespace: bench, labels: {kubernetes.io/service-name: bench}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
ports: [{name: ws, port: ${backendPort}, protocol: TCP}]
`;
}
