/**
 * kube: the source that reads the Kubernetes API, and whatever writes to it.
 * In: lists and watches of the API server. Out: a snapshot and its changes, what is wrong, and when it was last current.
 * Imports api, graph, controller (types and the object store), status (types), dns, @kubernetes/client-node for
 * credentials. Never throws on what a server says, never lets go of what was read last because a server is away.
 * Costs much memory to load: only who runs against a cluster imports it, when he does.
 */
export { ApiClient, type ApiClientOptions, type WatchApi } from "./api-client.ts";
export { Credentials, type CredentialsOptions } from "./credentials.ts";
export { RouteEvents, type RouteEventsParts } from "./events.ts";
export { KubeSource, type KubeSourceOptions } from "./kube-source.ts";
export { LeaseElector, type LeaseElectorParts, type LeaseTimings } from "./lease.ts";
export { KubeStatusWriter, type KubeStatusWriterParts } from "./status-writer.ts";
export type { KubeProblem } from "./troubles.ts";
export { type Api, ApiError, type ApiRequest, type KubeObserver, type Leadership } from "./types.ts";
