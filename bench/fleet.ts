import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Applications whose routes and Services share a file, and whose EndpointSlices share one. */
export const ROUTES_PER_FILE = 10;
export const SLICES_PER_FILE = 50;

/** A folder of many applications: for each a Service, an EndpointSlice of ten endpoints and a WebSocketRoute. */
export class Fleet implements AsyncDisposable {
  readonly path: string;
  readonly size: number;
  #serial = 0;

  private constructor(path: string, size: number) {
    this.path = path;
    this.size = size;
  }

  static async create(size: number): Promise<Fleet> {
    const fleet = new Fleet(await mkdtemp(join(tmpdir(), "holdfast-bench-")), size);
    for (let file = 0; file * ROUTES_PER_FILE < size; file++) await fleet.writeRoutes(file, 0);
    for (let file = 0; file * SLICES_PER_FILE < size; file++) await fleet.writeSlices(file, 10);
    return fleet;
  }

  /** Replaces a file atomically. */
  async write(file: string, text: string): Promise<void> {
    const temporary = join(this.path, `.tmp-${this.#serial++}`);
    await writeFile(temporary, text);
    await rename(temporary, join(this.path, file));
  }

  /** Edits ten routes at once: another idle timeout. */
  async writeRoutes(file: number, idleSeconds: number): Promise<void> {
    const texts = this.#names(file, ROUTES_PER_FILE).map(
      ({ name }) => `apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata: {name: ${name}, namespace: apps}
spec:
  hostnames: [${name}.example.com]
  rules:
  - name: main
    backendRefs: [{name: ${name}, port: 80}]
    timeouts: {idle: ${idleSeconds}s}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: apps}
spec: {ports: [{name: ws, port: 80}]}
`,
    );
    await this.write(`routes-${file}.yaml`, texts.join("---\n"));
  }

  /** Changes one endpoint of each of fifty applications. */
  async writeSlices(file: number, lastEndpoint: number): Promise<void> {
    const texts = this.#names(file, SLICES_PER_FILE).map(({ name, net }) => {
      const addresses = Array.from({ length: 10 }, (_, n) => `${net}.${n === 9 ? lastEndpoint : n + 1}`);
      const endpoints = addresses.map((address) => `- {addresses: ["${address}"], conditions: {ready: true}}`);
      return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: apps, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints:
${endpoints.join("\n")}
ports: [{name: ws, port: 8000}]
`;
    });
    await this.write(`slices-${file}.yaml`, texts.join("---\n"));
  }

  #names(file: number, perFile: number): { name: string; net: string }[] {
    const first = file * perFile;
    const count = Math.max(0, Math.min(perFile, this.size - first));
    return Array.from({ length: count }, (_, offset) => {
      const index = first + offset;
      return { name: `app-${index}`, net: `127.${1 + (index >> 8)}.${index & 255}` };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
