import { randomBytes } from "node:crypto";
import { afterDelay } from "../controller/index.ts";
import {
  ApiClient,
  Credentials,
  type KubeObserver,
  KubeSource,
  KubeStatusWriter,
  LeaseElector,
  RouteEvents,
} from "../kube/index.ts";
import type { KubernetesConfig } from "./config.ts";
import type { ControlThreadConfig } from "./control-config.ts";
import type { OpenSource } from "./opened-source.ts";
import type { ReportQueue } from "./report-queue.ts";

export interface OpenClusterOptions {
  readonly config: ControlThreadConfig;
  readonly source: KubernetesConfig;
  readonly reports: ReportQueue;
  /** Aborts when the control thread stops. */
  readonly signal: AbortSignal;
}

/** The API server as source, and the replica's part in writing statuses. Rejects with words for the user. */
export async function openCluster({ config, source, reports, signal }: OpenClusterOptions): Promise<OpenSource> {
  const clock = { now: () => performance.now(), wallMs: () => Date.now(), after: afterDelay, random: Math.random };
  const { kubeconfig, namespaces, watchSilenceMs } = source;
  const credentials = await Credentials.load({ kubeconfig, env: process.env, log: reports });
  const api = new ApiClient({ credentials, version: config.version });
  const observer: KubeObserver = {
    watchEnded: (kind, cause) => reports.count("watchEnds", { kind, cause }),
    statusWritten: (result) => reports.count("statusWrites", { result }),
    event: (result) => reports.count("events", { result }),
  };
  // A Pod's name is not enough: its container may be started again while the one before still counts as the holder.
  const identity = `${source.identity}_${randomBytes(4).toString("hex")}`;
  const elector = new LeaseElector({
    ...clock,
    api,
    namespace: source.leaseNamespace ?? credentials.namespace,
    name: source.leaseName,
    identity,
    log: reports,
  });
  const events = new RouteEvents({ ...clock, api, leadership: elector, identity, observer });
  const status = new KubeStatusWriter({ ...clock, api, leadership: elector, events, observer });
  elector.onChange((isLeader) => reports.leader(isLeader));
  reports.leader(false);
  const kube = new KubeSource({
    api,
    log: reports,
    namespaces,
    externalNames: config.graph.externalNames,
    dnsIntervalMs: config.dnsIntervalMs,
    silenceMs: watchSilenceMs,
    observer,
    onRoute: (name, object) => status.observe(name, object),
  });
  elector.start(signal);
  signal.addEventListener("abort", () => api.close(), { once: true });
  return {
    source: kube,
    status,
    problems: () => kube.problems(),
    freshness: () => [...kube.freshness()].map(([kind, atMs]) => ({ kind, atMs })),
    leave: () => void elector.release(),
  };
}
