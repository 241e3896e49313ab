import { errorOfEvent, isRecord } from "./answers.ts";
import { compareVersions } from "./resource-version.ts";
import { ApiError, type WatchEnd } from "./types.ts";

/** What a watch says of one object. */
export interface ObjectEvent {
  readonly type: "Put" | "Deleted";
  readonly object: unknown;
}

export interface ReadEvents {
  readonly events: readonly ObjectEvent[];
  /** Of the last of them, or of a bookmark. */
  readonly version: string;
}

/**
 * Reads what came in one chunk after `version`. Throws an ApiError for what only a new list can mend: the server's ERROR,
 * what cannot be understood, and a version that goes back, as after etcd was restored.
 */
export function readEvents(values: readonly unknown[], version: string): ReadEvents {
  const events: ObjectEvent[] = [];
  let last = version;
  for (const value of values) {
    const { type, object } = isRecord(value) ? value : {};
    if (type === "ERROR") throw errorOfEvent(object);
    if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED" && type !== "BOOKMARK") {
      throw notUnderstood(`no event has the type ${JSON.stringify(type)}`);
    }
    last = laterVersion(versionOf(object), last);
    if (type !== "BOOKMARK") events.push({ type: type === "DELETED" ? "Deleted" : "Put", object });
  }
  return { events, version: last };
}

/** `metadata.resourceVersion` of an object or a list. */
export function versionOf(object: unknown): string {
  const metadata = isRecord(object) ? object["metadata"] : undefined;
  const version = isRecord(metadata) ? metadata["resourceVersion"] : undefined;
  if (typeof version !== "string" || version === "") throw notUnderstood("metadata.resourceVersion is missing");
  return version;
}

function laterVersion(version: string, last: string): string {
  const order = compareVersions(version, last);
  if (order === undefined || order >= 0) return version;
  throw new ApiError({ status: 0, reason: "WentBack", message: wentBackWords(version, last) });
}

/** Why a watch ended that did not end in its time. */
export function causeOf({ status, reason }: ApiError): WatchEnd {
  if (status === 410) return "expired";
  if (reason === "WentBack") return "rewound";
  return reason === "Timeout" ? "silent" : "lost";
}

/** As after etcd was restored from a backup. */
export function wentBackWords(version: string, last: string): string {
  return `resource version ${version} came after ${last}: what the API server stores went back`;
}

function notUnderstood(words: string): ApiError {
  return new ApiError({ status: 0, reason: "BadAnswer", message: `the answer cannot be understood: ${words}` });
}
