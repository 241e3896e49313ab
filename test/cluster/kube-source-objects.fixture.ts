import { request } from "node:https";
import type { ControlPlane } from "./fixtures/control-plane.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

const PLURALS: Readonly<Record<string, string>> = { IngressClass: "ingressclasses" };

/** Writes as an admin does, one plain HTTPS request each. */
export class Writer {
  readonly #plane: Pick<ControlPlane, "server" | "credentials">;

  constructor(plane: Pick<ControlPlane, "server" | "credentials">) {
    this.#plane = plane;
  }

  /** Server-side apply; `subresource` such as `/status`. */
  async apply(manifest: Manifest, subresource = ""): Promise<void> {
    const query = "?fieldManager=test&force=true";
    await this.call("PATCH", `${pathTo(manifest)}${subresource}${query}`, manifest);
  }

  /** Whether it is there or not. */
  async remove(manifest: Manifest): Promise<void> {
    await this.call("DELETE", pathTo(manifest), undefined, [404]);
  }

  async call(method: string, path: string, body?: object, allowed: readonly number[] = []): Promise<string> {
    const { server, credentials } = this.#plane;
    const headers = {
      authorization: `Bearer ${credentials.token}`,
      ...(body === undefined ? {} : { "content-type": "application/apply-patch+yaml" }),
    };
    return await new Promise((resolve, reject) => {
      const asked = request(`${server}${path}`, { method, ca: credentials.ca, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          if (status < 300 || allowed.includes(status)) resolve(text);
          else reject(new Error(`${method} ${path}: ${status} ${text}`));
        });
      });
      // The API server may have been started anew since the last request.
      asked.on("error", (error) =>
        asked.reusedSocket ? resolve(this.call(method, path, body, allowed)) : reject(error),
      );
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function pathTo({ apiVersion, kind, metadata }: Manifest): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${root}${scope}/${PLURALS[kind] ?? `${kind.toLowerCase()}s`}/${metadata.name}`;
}

export function route(name: string, host: string, namespace = "apps"): Manifest {
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name, namespace },
    spec: { hostnames: [host], rules: [{ name: "all", backendRefs: [{ name: "chat", port: 80 }] }] },
  };
}

export function service(name: string, port: number, namespace = "apps"): Manifest {
  const spec = { clusterIP: "None", ports: [{ name: "ws", port }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec };
}

export function slice(name: string, ofService: string, addresses: readonly string[], namespace = "apps"): Manifest {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace, labels: { "kubernetes.io/service-name": ofService } },
    addressType: "IPv4",
    ports: [{ name: "ws", port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

export function ingressClass(name: string): Manifest {
  const spec = { controller: "holdfast.dev/ingress" };
  return { apiVersion: "networking.k8s.io/v1", kind: "IngressClass", metadata: { name }, spec };
}

export function grant(name: string, namespace = "apps"): Manifest {
  const from = [{ group: "holdfast.dev", kind: "WebSocketRoute", namespace: "default" }];
  const spec = { from, to: [{ group: "", kind: "Service" }] };
  return { apiVersion: "gateway.networking.k8s.io/v1", kind: "ReferenceGrant", metadata: { name, namespace }, spec };
}

export function namespace(name: string): Manifest {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}
