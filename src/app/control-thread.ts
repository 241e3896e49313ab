import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type ClusterSource, Controller } from "../controller/index.ts";
import { FolderSource, LogStatusWriter, ManifestSource } from "../files/index.ts";
import type { ControlThreadConfig } from "./control-config.ts";
import { PortDataPlane } from "./port-data-plane.ts";
import { ReportQueue } from "./report-queue.ts";
import type { DataMessage } from "./thread-messages.ts";

/** The entry of the control thread: reads the source and makes the data thread follow, until it is told to stop. */
async function main(port: MessagePort, config: ControlThreadConfig): Promise<void> {
  const stopping = new AbortController();
  port.on("message", (message: DataMessage) => {
    if (message.kind === "stop") stopping.abort();
  });
  const reports = new ReportQueue({ level: config.logLevel });
  const dataPlane = new PortDataPlane(port, reports);
  const controller = new Controller({
    source: sourceOf(config, reports),
    dataPlane,
    status: new LogStatusWriter(reports),
    observer: {
      programmed: (build) => {
        dataPlane.firstBuilt();
        reports.programmed(build);
      },
    },
    log: reports,
    options: { ingressClassName: config.ingressClass },
    now: () => performance.now(),
  });
  await controller.run(stopping.signal);
  port.close();
}

function sourceOf({ source, dnsIntervalMs }: ControlThreadConfig, reports: ReportQueue): ClusterSource {
  switch (source.kind) {
    case "files":
      return new FolderSource({ dir: source.dir, log: reports, dnsIntervalMs });
    case "manifests":
      return new ManifestSource({ objects: source.manifests, log: reports, dnsIntervalMs });
  }
}

if (parentPort === null) throw new Error("this module is the entry of a worker");
await main(parentPort, workerData as ControlThreadConfig);
