/**
 * files: the source that needs no cluster.
 * In: a watched folder of manifests, or a list of objects. Out: a snapshot and its changes, what is wrong with the files,
 * and conditions as log lines.
 * Imports api, graph, controller and status (types), dns (the feed of objects), yaml. Never throws on what stands in a
 * file, never drops what a broken file said before.
 */
export { FolderSource, type FolderSourceOptions } from "./folder-source.ts";
export { LogStatusWriter } from "./log-status-writer.ts";
export { ManifestSource, type ManifestSourceOptions } from "./manifest-source.ts";
export type { Problem } from "./problems.ts";
