import type { MessagePort } from "node:worker_threads";
import type { OwnListener } from "../proxy/index.ts";
import type { ThreadCounts } from "../telemetry/index.ts";
import type { Config, ShutdownPlan } from "./config.ts";

/** What a data worker is given when it starts; plain, cloneable data. */
export interface DataWorkerStart {
  /** 1 and up; the main thread is data thread 0. */
  readonly thread: number;
  readonly config: Config;
  /** This process's name in Via. */
  readonly pseudonym: string;
  /** What `auto` makes of the log's format. */
  readonly isTerminal: boolean;
  /** What the process listens on besides. */
  readonly listeners: readonly OwnListener[];
}

/** Main thread to data worker. */
export type WorkerOrder =
  /** A new control thread speaks on this port, and the one before says nothing more. */
  | { readonly kind: "control"; readonly port: MessagePort }
  /** Share this address, as soon as there is a table. */
  | { readonly kind: "listen"; readonly at: OwnListener }
  | { readonly kind: "count" }
  /** A batch of log lines has been taken. */
  | { readonly kind: "logged" }
  | { readonly kind: "drain"; readonly plan: ShutdownPlan }
  /** Whoever ends the process will not wait any longer. */
  | { readonly kind: "cut" }
  | { readonly kind: "close" };

/** Data worker to main thread. */
export type WorkerReport =
  | { readonly kind: "listening" }
  /** In words for the user; the worker ends. */
  | { readonly kind: "cannotListen"; readonly text: string }
  /** A portion of the counts by rule; `counts`, which comes last, has none. */
  | { readonly kind: "rules"; readonly rules: ThreadCounts["rules"] }
  | { readonly kind: "counts"; readonly counts: ThreadCounts }
  | { readonly kind: "log"; readonly lines: readonly string[] }
  | { readonly kind: "drained" };
