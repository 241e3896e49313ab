import { afterDelay, Controller } from "../../src/controller/index.ts";
import {
  type ApiClient,
  type KubeObserver,
  KubeSource,
  KubeStatusWriter,
  type Leadership,
  RouteEvents,
} from "../../src/kube/index.ts";
import type { RoutePatch } from "../../src/status/index.ts";
import { type Manifest, route } from "../integration/fixtures/manifests.ts";
import { ControlPlane } from "./fixtures/control-plane.ts";
import { apiOf, noLog, TappedApi } from "./fixtures/tapped-api.ts";

export const APPS = "apps";
/** For `expect.poll`: as long as a busy machine may need. */
export const PATIENT = { timeout: 20_000 };

/** Who leads is the test's to say. */
export class Crown implements Leadership {
  readonly #listeners: ((isLeader: boolean) => void)[] = [];
  isLeader: boolean;

  constructor(isLeader: boolean) {
    this.isLeader = isLeader;
  }

  onChange(listener: (isLeader: boolean) => void): void {
    this.#listeners.push(listener);
  }

  set(isLeader: boolean): void {
    this.isLeader = isLeader;
    for (const listener of this.#listeners) listener(isLeader);
  }
}

/** What Holdfast has of writers, with everything it told about them. */
export class Writers {
  readonly line: TappedApi;
  readonly crown: Crown;
  readonly told: string[] = [];
  readonly writer: KubeStatusWriter;

  constructor(api: ApiClient, options: { readonly isLeader: boolean; readonly identity?: string }) {
    this.line = new TappedApi(api);
    this.crown = new Crown(options.isLeader);
    const now = (): number => performance.now();
    const wallMs = (): number => Date.now();
    const observer: KubeObserver = {
      watchEnded: () => {},
      statusWritten: (result) => void this.told.push(`status ${result}`),
      event: (result) => void this.told.push(`event ${result}`),
    };
    const seat = { api: this.line, leadership: this.crown, observer, now, wallMs };
    const events = new RouteEvents({ ...seat, identity: options.identity ?? "replica-1" });
    this.writer = new KubeStatusWriter({ ...seat, events, after: afterDelay, random: Math.random });
  }

  /** Status writes that went out since the last call. */
  takeWrites(): number {
    return this.line.take("PATCH");
  }
}

/** All of Holdfast's control thread, with a data plane that takes everything. */
export class Replica extends Writers {
  readonly warnings: string[] = [];
  builds = 0;
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;

  constructor(api: ApiClient, options: { readonly isLeader: boolean; readonly identity?: string }) {
    super(api, options);
    const log = { ...noLog, warn: (_fields: object, message: string): void => void this.warnings.push(message) };
    const source = new KubeSource({
      api,
      log,
      namespaces: [],
      externalNames: "Refuse",
      onRoute: (name, object) => this.writer.observe(name, object),
    });
    const controller = new Controller({
      source,
      dataPlane: { applyTable: () => Promise.resolve(), setEndpoints: () => {} },
      status: this.writer,
      observer: { programmed: () => void (this.builds += 1) },
      log,
      options: {
        ingressClassName: "holdfast",
        classless: "Ours",
        anyHostNamespaces: new Set(),
        externalNames: "Refuse",
        affinity: "Keyed",
      },
      now: () => performance.now(),
    });
    this.#ended = controller.run(this.#abort.signal);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#ended;
  }
}

type Said = RoutePatch["conditions"][number];

export const well: Said = { type: "Accepted", status: "True", reason: "Accepted", message: "" };

export function bad(message: string): Said {
  return { type: "Accepted", status: "False", reason: "Invalid", message };
}

/** What is to stand on that route, of its first generation. */
export function patch(name: string, condition: Said = well, more: Partial<RoutePatch> = {}): RoutePatch {
  const backends = { ready: 1, draining: 0 };
  return { route: `${APPS}/${name}`, generation: 1, conditions: [condition], backends, ...more };
}

export function manifest(name: string, host = "chat.example.com"): Manifest {
  return route(name).host(host).to("chat", 80).manifest();
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

export interface RouteOnServer {
  readonly metadata: { readonly uid: string; readonly generation: number; readonly resourceVersion: string };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly Condition[];
    readonly backends?: { readonly ready: number; readonly draining: number };
  };
}

export interface EventOnServer {
  readonly type: string;
  readonly reason: string;
  readonly note?: string;
  readonly action: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly regarding: {
    readonly kind: string;
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
  };
}

/** A real API server with the namespace of the routes, as its users see it. */
export class UserView implements AsyncDisposable {
  readonly plane: ControlPlane;
  /** Admin's. */
  readonly api: ApiClient;

  private constructor(plane: ControlPlane, api: ApiClient) {
    this.plane = plane;
    this.api = api;
  }

  static async start(): Promise<UserView> {
    const plane = await ControlPlane.start({ controllerManager: "none" });
    await plane.installCrds();
    await plane.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: APPS } }]);
    return new UserView(plane, await apiOf(plane.kubeconfig));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api.close();
    await this.plane[Symbol.asyncDispose]();
  }

  /** Makes routes, and tells the writers of them as a watch would. */
  async put(writers: Writers, ...routes: readonly string[]): Promise<void> {
    await this.plane.apply(routes.map((name) => manifest(name)));
    const text = await this.plane.kubectl(["-n", APPS, "get", "wsr", "-o", "json"]);
    const { items } = JSON.parse(text) as {
      readonly items: readonly { readonly metadata: { readonly name: string } }[];
    };
    for (const item of items) writers.writer.observe(`${APPS}/${item.metadata.name}`, item);
  }

  async route(name: string): Promise<RouteOnServer> {
    return JSON.parse(await this.plane.kubectl(["-n", APPS, "get", "wsr", name, "-o", "json"])) as RouteOnServer;
  }

  /** `Accepted=True` and so on, in order of the types. */
  async says(name: string): Promise<readonly string[]> {
    const { status } = await this.route(name);
    return (status?.conditions ?? []).map((each) => `${each.type}=${each.status}`).toSorted();
  }

  async events(name: string): Promise<readonly EventOnServer[]> {
    const text = await this.plane.kubectl(["-n", APPS, "get", "events.events.k8s.io", "-o", "json"]);
    const { items } = JSON.parse(text) as { readonly items: readonly EventOnServer[] };
    return items.filter(({ regarding }) => regarding.name === name);
  }

  /** Takes away all routes and Events, each kind by one request. */
  async clear(): Promise<void> {
    for (const group of [
      "holdfast.dev/v1alpha1/namespaces/apps/websocketroutes",
      "events.k8s.io/v1/namespaces/apps/events",
    ]) {
      await this.plane.kubectl(["delete", "--raw", `/apis/${group}`]);
    }
  }

  /** As `kubectl edit --subresource=status` does, without asking anybody. */
  async mergeStatus(name: string, status: object | null): Promise<void> {
    const patch = ["--type=merge", "-p", JSON.stringify({ status })];
    await this.plane.kubectl(["-n", APPS, "patch", "wsr", name, "--subresource=status", ...patch]);
  }
}
