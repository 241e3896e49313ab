import type { ClusterChange, ClusterSource, Log } from "../controller/index.ts";
import { type DnsOptions, ObjectFeed } from "../dns/index.ts";
import type { ClusterSnapshot } from "../graph/index.ts";
import { admit } from "./admit.ts";

export interface ManifestSourceOptions extends DnsOptions {
  /** Objects as a manifest would say them. */
  readonly objects: readonly unknown[];
  readonly log: Log;
}

/** A source of objects that never change, except for what DNS says of their external names. */
export class ManifestSource implements ClusterSource {
  readonly #objects: readonly unknown[];
  readonly #log: Log;
  readonly #feed: ObjectFeed;
  readonly #troubles = new Map<string, string>();

  constructor(options: ManifestSourceOptions) {
    this.#objects = options.objects;
    this.#log = options.log;
    this.#feed = new ObjectFeed({
      externalNames: { ...options, onTrouble: (service, message) => this.#say(service, message) },
    });
  }

  /** Rejects when an object is refused, with the words for it. */
  async start(signal: AbortSignal): Promise<void> {
    const admissions = this.#objects.map(admit);
    const refusals = admissions.flatMap((admission) => (admission.kind === "refused" ? [admission.message] : []));
    if (refusals.length > 0) throw new Error(refusals.join("\n"));
    const put = admissions.flatMap((admission) => (admission.kind === "admitted" ? [admission.admitted] : []));
    this.#feed.apply({ put, removed: [] });
    await this.#feed.start(signal);
  }

  snapshot(): ClusterSnapshot {
    return this.#feed.store;
  }

  onChange(listener: (change: ClusterChange) => void): void {
    this.#feed.onChange(listener);
  }

  /** Once when it begins, and once when it ends. */
  #say(service: string, message: string | undefined): void {
    const before = this.#troubles.get(service);
    if (message === before) return;
    if (message === undefined) {
      this.#troubles.delete(service);
      this.#log.info({ service }, "external name resolves again");
    } else {
      this.#troubles.set(service, message);
      this.#log.warn({ service, problem: message }, "external name problem");
    }
  }
}
