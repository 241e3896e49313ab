/**
 * controller: the loop that makes the data plane follow the source.
 * In: changes of a ClusterSource. Out: endpoints and deltas of the table to a DataPlane, conditions to a StatusWriter.
 * Imports graph, routing, upstream and status. Does no I/O of its own, knows neither files nor Kubernetes, and never
 * looks into what a change is about: it reads the snapshot again.
 */
export { afterDelay } from "./after.ts";
export { type ClusterObject, objectName } from "./cluster-object.ts";
export { Controller, type ControllerParts } from "./controller.ts";
export { ObjectStore } from "./object-store.ts";
export { TokenBucket, type TokenBucketOptions } from "./token-bucket.ts";
export type * from "./types.ts";
export { pause } from "./waiting.ts";
