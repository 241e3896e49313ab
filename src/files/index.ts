/**
 * files: the source that needs no cluster.
 * In: a watched folder of manifests, or a list of objects; for ExternalName Services, DNS. Out: a snapshot and its
 * changes, what is wrong with the files, and conditions as log lines.
 * Imports api, graph and controller (types and the object store), yaml. Never throws on what stands in a file, never
 * drops what a broken file said before.
 */
export { FolderSource, type FolderSourceOptions } from "./folder-source.ts";
export { LogStatusWriter } from "./log-status-writer.ts";
export { ManifestSource, type ManifestSourceOptions } from "./manifest-source.ts";
export type { DnsOptions } from "./object-feed.ts";
export type { Problem } from "./problems.ts";
export type { ResolveHost } from "./resolve-host.ts";
