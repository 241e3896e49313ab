import { afterEach } from "vitest";
import { afterDelay, type ClusterChange, type Log } from "../../src/controller/index.ts";
import type { Kind } from "../../src/graph/index.ts";
import {
  ApiClient,
  Credentials,
  type CredentialsOptions,
  KubeSource,
  type KubeSourceOptions,
} from "../../src/kube/index.ts";

const KINDS = [
  "WebSocketRoute",
  "Service",
  "EndpointSlice",
  "IngressClass",
  "ReferenceGrant",
] as const satisfies readonly Kind[];

class LogLines implements Log {
  readonly lines: { level: string; message: string; fields: object }[] = [];
  debug = (fields: object, message: string): void => void this.lines.push({ level: "debug", message, fields });
  info = (fields: object, message: string): void => void this.lines.push({ level: "info", message, fields });
  warn = (fields: object, message: string): void => void this.lines.push({ level: "warn", message, fields });
  error = (fields: object, message: string): void => void this.lines.push({ level: "error", message, fields });
}

export interface Following {
  readonly source: KubeSource;
  readonly changes: ClusterChange[];
  readonly log: LogLines;
  /** Resolves when every kind is there. */
  readonly started: Promise<void>;
  stop(): void;
}

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

export type FollowOptions = Partial<Omit<KubeSourceOptions, "api" | "log">> &
  Partial<Omit<CredentialsOptions, "log">> & { readonly wrap?: (api: ApiClient) => KubeSourceOptions["api"] };

/** A source that follows from now on until the end of the test. */
export async function follow(options: FollowOptions): Promise<Following> {
  const log = new LogLines();
  const credentials = await Credentials.load({ env: {}, ...options, log });
  const client = new ApiClient({ credentials, version: "test" });
  const source = new KubeSource({
    namespaces: [],
    externalNames: "Refuse",
    // Faster than in life, and never at once.
    after: (delayMs, run) => afterDelay(delayMs > 2000 && delayMs <= 15_000 ? 2000 : delayMs, run),
    ...options,
    api: options.wrap?.(client) ?? client,
    log,
  });
  const changes: ClusterChange[] = [];
  source.onChange((change) => changes.push(change));
  const abort = new AbortController();
  const stop = (): void => {
    abort.abort();
    client.close();
  };
  stops.push(stop);
  return { source, changes, log, started: source.start(abort.signal), stop };
}

export function namesOf({ source }: Following, kind: Kind, inNamespace = "apps"): readonly string[] {
  const names = [...source.snapshot().list(kind).keys()];
  return names
    .filter((name) => name.startsWith(`${inNamespace}/`))
    .map((name) => name.slice(inNamespace.length + 1))
    .sort();
}

/** All that a source knows, or all of one namespace. */
export function everything({ source }: Following, inNamespace = ""): Readonly<Record<string, readonly unknown[]>> {
  const entries = KINDS.map((kind) => {
    const all = [...source.snapshot().list(kind)].filter(([name]) => name.startsWith(inNamespace));
    return [kind, all.sort(([a], [b]) => (a < b ? -1 : 1))] as const;
  });
  return Object.fromEntries(entries);
}

export function addressesOf({ source }: Following, ofService: string): readonly string[] {
  const slices = source.snapshot().slicesOf(ofService) as readonly {
    readonly endpoints?: readonly { readonly addresses: readonly string[] }[];
  }[];
  return slices.flatMap(({ endpoints }) => (endpoints ?? []).flatMap(({ addresses }) => addresses)).sort();
}
