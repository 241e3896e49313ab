import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { type HoldfastProcess, serveFolder } from "../integration/fixtures/holdfast.ts";
import { endpoints, ManifestFolder, service } from "../integration/fixtures/manifests.ts";
import { Forwarder } from "./forwarder-process.ts";
import { type Accepted, accept } from "./handshake.ts";
import { EndLines } from "./log-lines.ts";
import type { SoakRule } from "./rules.ts";
import type { Socket } from "node:net";

const HOST = "soak.example.com";

/** A backend's end of a tunnel, as it comes in. */
export interface Arrival extends Accepted {
  readonly socket: Socket;
}

/** A Holdfast process that serves a folder, backends behind it, and the process that is killed. */
export class SoakWorld implements AsyncDisposable {
  readonly holdfast: HoldfastProcess;
  readonly http: string;
  readonly admin: string;
  readonly ends: EndLines;
  readonly forwarder: Forwarder;
  readonly #arrivals: Map<number, (arrival: Arrival) => void>;
  readonly #backend: Server;
  readonly #folder: ManifestFolder;

  private constructor(
    served: Awaited<ReturnType<typeof serveFolder>>,
    parts: {
      readonly forwarder: Forwarder;
      readonly backend: Server;
      readonly folder: ManifestFolder;
      readonly arrivals: Map<number, (arrival: Arrival) => void>;
    },
  ) {
    this.holdfast = served.holdfast;
    this.http = served.http;
    this.admin = served.admin;
    this.ends = new EndLines(served.holdfast);
    this.forwarder = parts.forwarder;
    this.#backend = parts.backend;
    this.#folder = parts.folder;
    this.#arrivals = parts.arrivals;
  }

  static async start(rules: readonly SoakRule[], env: Record<string, string> = {}): Promise<SoakWorld> {
    const arrivals = new Map<number, (arrival: Arrival) => void>();
    const backend = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      socket.on("error", () => {});
      void welcome(socket, arrivals);
    });
    backend.listen(0, "127.0.0.1");
    await once(backend, "listening");
    const { port } = backend.address() as AddressInfo;
    const forwarder = new Forwarder(port);
    await forwarder.start();
    const folder = await ManifestFolder.create({
      "services.yaml": [service("direct", 80), service("through", 80)],
      "slices.yaml": [...endpoints("direct", [port]), ...endpoints("through", [forwarder.backendSidePort])],
      "route.yaml": [routeOf(rules)],
    });
    try {
      const served = await serveFolder(folder.path, { env });
      return new SoakWorld(served, { forwarder, backend, folder, arrivals });
    } catch (error) {
      await forwarder[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
      backend.close();
      throw error;
    }
  }

  /** The backend's end of a tunnel, when it comes; undefined = not within the time. */
  async arrival(tunnel: number, withinMs: number): Promise<Arrival | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#arrivals.delete(tunnel);
        resolve(undefined);
      }, withinMs);
      this.#arrivals.set(tunnel, (arrival) => {
        clearTimeout(timer);
        resolve(arrival);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holdfast[Symbol.asyncDispose]();
    await this.forwarder[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
    this.#backend.close();
  }
}

async function welcome(socket: Socket, arrivals: Map<number, (arrival: Arrival) => void>): Promise<void> {
  const accepted = await accept(socket);
  const waiting = accepted === undefined ? undefined : arrivals.get(accepted.tunnel);
  if (accepted === undefined || waiting === undefined) {
    socket.destroy();
    return;
  }
  arrivals.delete(accepted.tunnel);
  waiting({ ...accepted, socket });
}

/** One route; each rule has a path of its name. */
function routeOf(rules: readonly SoakRule[]): Record<string, unknown> {
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name: "soak", namespace: "apps" },
    spec: {
      hostnames: [HOST],
      rules: rules.map(({ name, fields, killed }) => ({
        name,
        matches: [{ path: { type: "PathPrefix", value: `/${name}` } }],
        backendRefs: [{ name: killed === "backend" ? "through" : "direct", port: 80 }],
        ...fields,
      })),
    },
  };
}
