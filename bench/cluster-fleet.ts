import { Agent, request } from "undici";
import type { ControlPlane } from "../test/cluster/fixtures/control-plane.ts";

/** Requests under way at once: more make the API server slower, not faster. */
const AT_ONCE = 32;
const NAMESPACE = "fleet";

/** Many applications in a cluster: for each a Service, an EndpointSlice of ten endpoints and a WebSocketRoute. */
export class ClusterFleet {
  readonly size: number;
  readonly #plane: ControlPlane;
  readonly #agent: Agent;

  private constructor(plane: ControlPlane, size: number) {
    this.#plane = plane;
    this.#agent = new Agent({ connections: AT_ONCE, connect: { ca: plane.credentials.ca } });
    this.size = size;
  }

  static async create(plane: ControlPlane, size: number): Promise<ClusterFleet> {
    const fleet = new ClusterFleet(plane, size);
    await plane.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } }]);
    await fleet.#each(async (index) => {
      await fleet.#send("POST", `/api/v1/namespaces/${NAMESPACE}/services`, service(index));
      await fleet.#send("POST", `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices`, slice(index, 10));
      await fleet.#send("POST", `/apis/holdfast.dev/v1alpha1/namespaces/${NAMESPACE}/websocketroutes`, route(index));
    });
    return fleet;
  }

  /** Changes one endpoint of the application. */
  async changeEndpoint(index: number, last: number): Promise<void> {
    const path = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices/app-${index}-1`;
    await this.#send("PATCH", path, { endpoints: slice(index, last).endpoints });
  }

  /** Edits every route: another idle timeout. */
  async reload(idleSeconds: number): Promise<void> {
    await this.#each(async (index) => {
      const path = `/apis/holdfast.dev/v1alpha1/namespaces/${NAMESPACE}/websocketroutes/app-${index}`;
      await this.#send("PATCH", path, { spec: { rules: rules(index, idleSeconds) } });
    });
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #each(run: (index: number) => Promise<void>): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < this.size) await run(next++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async #send(method: "POST" | "PATCH", path: string, body: object): Promise<void> {
    const { statusCode, body: answer } = await request(`${this.#plane.server}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        authorization: `Bearer ${this.#plane.credentials.token}`,
        "content-type": method === "POST" ? "application/json" : "application/merge-patch+json",
      },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (statusCode >= 300) throw new Error(`${method} ${path}: ${statusCode} ${text}`);
  }
}

function service(index: number): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `app-${index}` },
    spec: { ports: [{ name: "ws", port: 80 }] },
  };
}

interface Slice {
  readonly endpoints: readonly object[];
  readonly [field: string]: unknown;
}

function slice(index: number, last: number): Slice {
  const net = `198.18.${64 + (index >> 7)}`;
  const first = (index & 127) * 2;
  const addresses = Array.from({ length: 10 }, (_, n) => `${net}.${(first + (n === 9 ? last : n)) & 255}`);
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `app-${index}-1`, labels: { "kubernetes.io/service-name": `app-${index}` } },
    addressType: "IPv4",
    endpoints: addresses.map((address, n) => ({
      addresses: [address],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${n}`,
      zone: `zone-${n % 3}`,
      targetRef: {
        kind: "Pod",
        namespace: NAMESPACE,
        name: `app-${index}-${n}`,
        uid: `00000000-0000-4000-8000-${String(index * 16 + n).padStart(12, "0")}`,
      },
    })),
    ports: [{ name: "ws", port: 8000, protocol: "TCP" }],
  };
}

function route(index: number): object {
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name: `app-${index}` },
    spec: { ingressClassName: "holdfast", hostnames: [`app-${index}.example.com`], rules: rules(index, 0) },
  };
}

function rules(index: number, idleSeconds: number): readonly object[] {
  return [{ name: "main", backendRefs: [{ name: `app-${index}`, port: 80 }], timeouts: { idle: `${idleSeconds}s` } }];
}
