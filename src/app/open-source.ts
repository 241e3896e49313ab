import type { ClusterSource } from "../controller/index.ts";
import { FolderSource, LogStatusWriter, ManifestSource } from "../files/index.ts";
import type { ControlThreadConfig } from "./control-config.ts";
import type { OpenSource } from "./opened-source.ts";
import type { ReportQueue } from "./report-queue.ts";

/** Makes the source that the flags name; nothing is read before it is started. Rejects with words for the user. */
export async function openSource(
  config: ControlThreadConfig,
  reports: ReportQueue,
  signal: AbortSignal,
): Promise<OpenSource> {
  const { source, dnsIntervalMs } = config;
  switch (source.kind) {
    case "files":
      return local(new FolderSource({ folder: source.dir, log: reports, dnsIntervalMs }), reports);
    case "manifests":
      return local(new ManifestSource({ objects: source.manifests, log: reports, dnsIntervalMs }), reports);
    case "kubernetes": {
      // Much code and memory, which nobody without a cluster is to pay for.
      const { openCluster } = await import("./open-cluster.ts");
      return openCluster({ config, source, reports, signal });
    }
  }
}

function local(source: ClusterSource & { problems?(): readonly unknown[] }, reports: ReportQueue): OpenSource {
  return {
    source,
    status: new LogStatusWriter(reports),
    problems: () => source.problems?.() ?? [],
    freshness: () => [],
    leave: () => {},
  };
}
