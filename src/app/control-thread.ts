import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Controller } from "../controller/index.ts";
import type { ControlThreadConfig } from "./control-config.ts";
import { openSource } from "./open-source.ts";
import type { OpenSource } from "./opened-source.ts";
import { PortDataPlane } from "./port-data-plane.ts";
import { ReportQueue } from "./report-queue.ts";
import type { DataMessage } from "./thread-messages.ts";
import { stepBack } from "./thread-priority.ts";

/** How often it is looked how the source is. */
const SOURCE_CHECK_MS = 1_000;

/** The entry of the control thread: reads the source and makes the data thread follow, until it is told to stop. */
async function main(port: MessagePort, config: ControlThreadConfig): Promise<void> {
  stepBack();
  const stopping = new AbortController();
  const { promise: leaving, resolve: leave } = Promise.withResolvers<void>();
  port.on("message", (message: DataMessage) => {
    if (message.kind === "stop") stopping.abort();
    if (message.kind === "leaving") leave();
  });
  const reports = new ReportQueue({ level: config.logLevel });
  const dataPlane = new PortDataPlane(port, reports);
  const open = await openSource(config, reports, stopping.signal);
  void leaving.then(() => open.leave());
  const controller = new Controller({
    source: open.source,
    dataPlane,
    status: open.status,
    observer: {
      programmed: (build) => {
        dataPlane.firstBuilt();
        reports.programmed(build);
      },
    },
    log: reports,
    options: config.graph,
    now: () => performance.now(),
  });
  const stopWatching = watchSource(open, reports);
  await controller.run(stopping.signal);
  stopWatching();
  port.close();
}

/** Tells how many problems there are when their number changes, and how fresh everything is when that does. */
function watchSource(open: OpenSource, reports: ReportQueue): () => void {
  let toldProblems: number | undefined;
  let toldFreshness = "";
  const timer = setInterval(() => {
    const count = open.problems().length;
    if (count !== toldProblems) reports.problems(count);
    toldProblems = count;
    const kinds = open.freshness();
    const freshness = JSON.stringify(kinds);
    if (freshness !== toldFreshness && kinds.length > 0) reports.freshness(kinds);
    toldFreshness = freshness;
  }, SOURCE_CHECK_MS);
  return () => clearInterval(timer);
}

if (parentPort === null) throw new Error("this module is the entry of a worker");
await main(parentPort, workerData as ControlThreadConfig);
