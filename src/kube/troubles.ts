import type { Log } from "../controller/index.ts";
import { type Resource, resourceName } from "./resources.ts";
import type { ApiError } from "./types.ts";

/** Something that keeps a source from following the cluster. */
export interface KubeProblem {
  /** A kind, and its namespace where one is watched: `EndpointSlice in namespace apps`; or a Service. */
  readonly what: string;
  readonly message: string;
}

/** What a list-watch reads, in words. */
export function scopeWords({ kind }: Resource, namespace: string | undefined): string {
  return namespace === undefined ? kind : `${kind} in namespace ${namespace}`;
}

/** Whether it may be over by itself, as when a server starts anew. */
export function isLikelyToPass(error: ApiError): boolean {
  return sortOf(error) === "unreachable";
}

interface TroubleParts {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly log: Log;
}

/** What keeps one list-watch from following, told when it begins and when it ends. */
export class Trouble {
  readonly #parts: TroubleParts;
  #standing: { readonly of: "list" | "watch"; readonly sort: string; readonly message: string } | undefined;

  constructor(parts: TroubleParts) {
    this.#parts = parts;
  }

  get problem(): KubeProblem | undefined {
    if (this.#standing === undefined) return undefined;
    const { resource, namespace } = this.#parts;
    return { what: scopeWords(resource, namespace), message: this.#standing.message };
  }

  /** One sort of trouble is told once: while a server starts, one refusal follows another. */
  tell(of: "list" | "watch", error: ApiError): void {
    const { resource, namespace, log } = this.#parts;
    const sort = sortOf(error);
    const message = troubleWords(error, resource, namespace);
    if (this.#standing?.sort !== sort) {
      log.warn({ resource: scopeWords(resource, namespace), problem: message }, "the cluster is not followed");
    }
    this.#standing = { of, sort, message };
  }

  /** That much works again; a list that does proves nothing for the watch. */
  mended(of: "list" | "watch"): void {
    const { resource, namespace, log } = this.#parts;
    if (this.#standing?.of !== of) return;
    this.#standing = undefined;
    log.info({ resource: scopeWords(resource, namespace) }, "the cluster is followed again");
  }
}

/** With each sort something else is to be done about it. */
function sortOf({ status }: ApiError): string {
  return status === 401 || status === 403 || status === 404 ? String(status) : "unreachable";
}

/** What is wrong and what to do about it. */
function troubleWords(error: ApiError, resource: Resource, namespace: string | undefined): string {
  const { status, message } = error;
  const name = resourceName(resource);
  switch (sortOf(error)) {
    case "401":
      return `the API server does not accept our credentials (${message}): the token or certificate has ended or is unknown`;
    case "403": {
      const [role, where] =
        namespace === undefined ? ["ClusterRole", "in all namespaces"] : ["Role", `in namespace ${namespace}`];
      return `${name} may not be listed and watched ${where}: grant the verbs list and watch on it by a ${role} (${message})`;
    }
    case "404":
      return `${missingWords(resource)} (the API server does not know ${name})`;
    default:
      return status === 0 ? message : `the API server answered ${status}: ${message}`;
  }
}

function missingWords({ kind, group, versions }: Resource): string {
  const apiVersion = group === "" ? versions[0] : `${group}/${versions[0]}`;
  return kind === "WebSocketRoute"
    ? `the CRD of ${kind} is not installed: apply the files of crds/ or install the chart with crds.install=true`
    : `${apiVersion} ${kind} is not served`;
}
