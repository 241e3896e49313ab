import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type ClusterSource, Controller } from "../controller/index.ts";
import { FolderSource, LogStatusWriter, ManifestSource } from "../files/index.ts";
import type { ControlThreadConfig } from "./control-config.ts";
import { PortDataPlane } from "./port-data-plane.ts";
import { ReportQueue } from "./report-queue.ts";
import type { DataMessage } from "./thread-messages.ts";
import { stepBack } from "./thread-priority.ts";

/** How often it is looked whether the number of the source's problems has changed. */
const PROBLEM_CHECK_MS = 1_000;

/** A source as it is used here: `problems` where it has a list of them. */
type AnySource = ClusterSource & { problems?(): readonly unknown[] };

/** The entry of the control thread: reads the source and makes the data thread follow, until it is told to stop. */
async function main(port: MessagePort, config: ControlThreadConfig): Promise<void> {
  stepBack();
  const stopping = new AbortController();
  port.on("message", (message: DataMessage) => {
    if (message.kind === "stop") stopping.abort();
  });
  const reports = new ReportQueue({ level: config.logLevel });
  const dataPlane = new PortDataPlane(port, reports);
  const source = sourceOf(config, reports);
  const controller = new Controller({
    source,
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
  const stopCounting = countProblems(source, reports);
  await controller.run(stopping.signal);
  stopCounting();
  port.close();
}

function countProblems(source: AnySource, reports: ReportQueue): () => void {
  let told: number | undefined;
  const timer = setInterval(() => {
    const count = source.problems?.().length ?? 0;
    if (count !== told) reports.problems(count);
    told = count;
  }, PROBLEM_CHECK_MS);
  return () => clearInterval(timer);
}

function sourceOf({ source, dnsIntervalMs }: ControlThreadConfig, reports: ReportQueue): AnySource {
  switch (source.kind) {
    case "files":
      return new FolderSource({ folder: source.dir, log: reports, dnsIntervalMs });
    case "manifests":
      return new ManifestSource({ objects: source.manifests, log: reports, dnsIntervalMs });
  }
}

if (parentPort === null) throw new Error("this module is the entry of a worker");
await main(parentPort, workerData as ControlThreadConfig);
