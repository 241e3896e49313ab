import { parseService } from "../api/index.ts";
import type { NamespacedName } from "../graph/index.ts";
import { type DnsSlice, dnsSlices, externalServiceOf, type ExternalService } from "./dns-slices.ts";
import { type HostAnswer, HostFollower, type HostFollowerOptions } from "./host-follower.ts";

export interface ExternalNamesOptions extends Omit<HostFollowerOptions, "onAnswer"> {
  /** The slices that the Service has from now on; answers what is wrong with them. */
  readonly onSlices: (service: NamespacedName, slices: readonly DnsSlice[]) => string | undefined;
  /** Why its host does not resolve; undefined = it does. */
  readonly onTrouble: (service: NamespacedName, message: string | undefined) => void;
}

/**
 * Keeps the endpoints of ExternalName Services as DNS has them. A failure changes nothing but is told: the last good
 * answer stays.
 */
export class ExternalNames {
  readonly #options: ExternalNamesOptions;
  readonly #follower: HostFollower;
  readonly #services = new Map<NamespacedName, ExternalService>();
  readonly #servicesOf = new Map<string, Set<NamespacedName>>();
  readonly #answers = new Map<string, HostAnswer>();
  readonly #onFirst = new Set<() => void>();

  constructor(options: ExternalNamesOptions) {
    this.#options = options;
    this.#follower = new HostFollower({ ...options, onAnswer: (hostname, answer) => this.#answered(hostname, answer) });
  }

  /** A Service as it is now, of whatever type; undefined = it is gone. */
  set(name: NamespacedName, object: unknown): void {
    const before = this.#services.get(name);
    const parsed = object === undefined ? undefined : parseService(object);
    const after = parsed?.ok === true ? externalServiceOf(parsed.value) : undefined;
    if (before === undefined && after === undefined) return;
    if (after === undefined) this.#services.delete(name);
    else this.#services.set(name, after);
    if (before !== undefined && before.hostname !== after?.hostname) {
      this.#leave(before.hostname, name);
      this.#options.onTrouble(name, undefined);
    }
    // The addresses of the host before stay until the new one has answered.
    if (after === undefined) this.#options.onSlices(name, []);
    else this.#join(after, name);
  }

  /** Resolves when every host followed now has answered or failed once. */
  async firstAnswers(): Promise<void> {
    while ([...this.#servicesOf.keys()].some((hostname) => !this.#answers.has(hostname))) {
      await new Promise<void>((resolve) => this.#onFirst.add(resolve));
    }
  }

  stop(): void {
    this.#follower.stop();
  }

  #join(service: ExternalService, name: NamespacedName): void {
    const services = this.#servicesOf.get(service.hostname) ?? new Set();
    this.#servicesOf.set(service.hostname, services.add(name));
    const answer = this.#answers.get(service.hostname);
    if (answer === undefined) this.#follower.follow(service.hostname);
    else this.#tell(name, answer);
  }

  #leave(hostname: string, name: NamespacedName): void {
    const services = this.#servicesOf.get(hostname);
    services?.delete(name);
    if (services === undefined || services.size > 0) return;
    this.#servicesOf.delete(hostname);
    this.#answers.delete(hostname);
    this.#follower.forget(hostname);
  }

  #answered(hostname: string, answer: HostAnswer): void {
    const before = this.#answers.get(hostname);
    // A failure must not hide the addresses from a Service that comes later.
    if (answer.ok || before === undefined) this.#answers.set(hostname, answer);
    for (const name of this.#servicesOf.get(hostname) ?? []) this.#tell(name, answer);
    for (const resolve of this.#onFirst) resolve();
    this.#onFirst.clear();
  }

  #tell(name: NamespacedName, answer: HostAnswer): void {
    const service = this.#services.get(name);
    if (service === undefined) return;
    const trouble = answer.ok
      ? this.#options.onSlices(name, dnsSlices(service, answer.addresses))
      : `externalName ${service.hostname} does not resolve: ${answer.message}`;
    this.#options.onTrouble(name, trouble);
  }
}
