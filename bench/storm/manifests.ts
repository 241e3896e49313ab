import { writeFile, rename } from "node:fs/promises";
import { join } from "node:path";

const HOST = "bench.example";
export const STORM_PATH = "/storm";
export const STEADY_PATH = "/steady";
export const STORM_UPSTREAM = "bench/storm:80";

/** Admission of the rule that the storm meets. */
export interface Limits {
  readonly handshakesPerSecond: number;
  readonly queueSize: number;
  readonly queueSeconds: number;
}

/** Both rules of the route; `limits` undefined = the storm's rule takes whatever comes. */
export async function writeRoute(folder: string, limits: Limits | undefined): Promise<void> {
  await replace(folder, "route.yaml", routeManifest(limits));
}

/** The ready endpoints of one Service, ports of 127.0.0.1. */
export async function writeService(folder: string, name: "storm" | "steady", ports: readonly number[]): Promise<void> {
  await replace(folder, `${name}.yaml`, serviceManifests(name, ports));
}

/** The established tunnels have a rule of their own, as another application has. */
export function routeManifest(limits: Limits | undefined): string {
  const admission =
    limits === undefined
      ? ""
      : `
    admission:
      handshakesPerSecond: ${limits.handshakesPerSecond}
      queue: {size: ${limits.queueSize}, timeout: ${limits.queueSeconds}s}`;
  return `apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata: {name: bench, namespace: bench}
spec:
  hostnames: [${HOST}]
  rules:
  - name: storm
    matches: [{path: {type: PathPrefix, value: ${STORM_PATH}}}]
    backendRefs: [{name: storm, port: 80}]${admission}
  - name: steady
    matches: [{path: {type: PathPrefix, value: ${STEADY_PATH}}}]
    backendRefs: [{name: steady, port: 80}]
`;
}

/** One slice for each port: endpoints of one slice share their ports. */
export function serviceManifests(name: string, ports: readonly number[]): string {
  const slices = ports.map(
    (port) => `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-${port}, namespace: bench, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
ports: [{name: ws, port: ${port}, protocol: TCP}]
`,
  );
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: bench}
spec: {ports: [{name: ws, port: 80}]}
${slices.join("")}`;
}

/** As editors and mounts do it: a reader sees the old file or the new one, whole. */
async function replace(folder: string, file: string, text: string): Promise<void> {
  const aside = join(folder, `.${file}.new`);
  await writeFile(aside, text);
  await rename(aside, join(folder, file));
}
