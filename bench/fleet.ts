import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of many applications, one file each: a Service, an EndpointSlice of ten endpoints and a WebSocketRoute. */
export class Fleet implements AsyncDisposable {
  readonly path: string;
  #serial = 0;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(size: number): Promise<Fleet> {
    const fleet = new Fleet(await mkdtemp(join(tmpdir(), "holdfast-bench-")));
    for (let index = 0; index < size; index++) await fleet.writeApp(index, { idleSeconds: 0, lastEndpoint: 10 });
    return fleet;
  }

  /** Replaces a file atomically. */
  async write(file: string, text: string): Promise<void> {
    const temporary = join(this.path, `.tmp-${this.#serial++}`);
    await writeFile(temporary, text);
    await rename(temporary, join(this.path, file));
  }

  /** `lastEndpoint` and `idleSeconds` are what an edit changes: endpoints by the one, the route by the other. */
  async writeApp(
    index: number,
    change: { readonly idleSeconds: number; readonly lastEndpoint: number },
  ): Promise<void> {
    const name = `app-${index}`;
    const net = `127.${1 + (index >> 8)}.${index & 255}`;
    const addresses = Array.from({ length: 10 }, (_, n) => `${net}.${n === 9 ? change.lastEndpoint : n + 1}`);
    const endpoints = addresses.map((address) => `- {addresses: ["${address}"], conditions: {ready: true}}`).join("\n");
    await this.write(
      `${name}.yaml`,
      `apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata: {name: ${name}, namespace: apps}
spec:
  hostnames: [${name}.example.com]
  rules:
  - name: main
    backendRefs: [{name: ${name}, port: 80}]
    timeouts: {idle: ${change.idleSeconds}s}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: apps}
spec: {ports: [{name: ws, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: apps, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints:
${endpoints}
ports: [{name: ws, port: 8000}]
`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
