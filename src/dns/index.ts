/**
 * dns: the endpoints of ExternalName Services as DNS has them, put among a source's objects.
 * In: the objects that came and went, in batches; answers of DNS. Out: the store of all of them, slices for what was
 * resolved included, and its changes, each told once.
 * Imports api, graph (types) and controller (types and the object store), node's dns and net. Never throws on what an
 * object says, never lets go of a good answer because of a failure, asks nothing where names are not followed.
 */
export type { DnsOptions } from "./dns-endpoints.ts";
export { ObjectFeed, type ObjectBatch, type ObjectFeedOptions, type Put, type Removed } from "./object-feed.ts";
export type { ResolveHost } from "./resolve-host.ts";
