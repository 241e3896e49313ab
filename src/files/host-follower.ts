import type { After } from "../controller/index.ts";
import { literalAddresses, type ResolveHost } from "./resolve-host.ts";

export interface HostFollowerOptions {
  readonly resolve: ResolveHost;
  readonly after: After;
  /** 0 to 1. */
  readonly random: () => number;
  /** Between two questions for a host, ten percent more or less. */
  readonly intervalMs: number;
  readonly onAnswer: (hostname: string, answer: HostAnswer) => void;
}

export type HostAnswer =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly message: string };

const MOST_AT_ONCE = 8;
const LONGEST_QUESTION_MS = 10_000;

interface Host {
  cancel: (() => void) | undefined;
}

/** Asks for the addresses of hosts again and again, a few at a time. Addresses and `localhost` need no asking. */
export class HostFollower {
  readonly #options: HostFollowerOptions;
  readonly #hosts = new Map<string, Host>();
  readonly #waiting = new Set<string>();
  #underWay = 0;

  constructor(options: HostFollowerOptions) {
    this.#options = options;
  }

  /** Follows a host; its first answer comes soon, that of an address before this returns. */
  follow(hostname: string): void {
    if (this.#hosts.has(hostname)) return;
    this.#hosts.set(hostname, { cancel: undefined });
    const addresses = literalAddresses(hostname);
    if (addresses === undefined) this.#enqueue(hostname);
    else this.#options.onAnswer(hostname, { ok: true, addresses });
  }

  forget(hostname: string): void {
    this.#hosts.get(hostname)?.cancel?.();
    this.#hosts.delete(hostname);
    this.#waiting.delete(hostname);
  }

  stop(): void {
    for (const hostname of this.#hosts.keys()) this.forget(hostname);
  }

  #enqueue(hostname: string): void {
    this.#waiting.add(hostname);
    this.#askNext();
  }

  #askNext(): void {
    for (const hostname of this.#waiting) {
      if (this.#underWay >= MOST_AT_ONCE) return;
      this.#waiting.delete(hostname);
      this.#underWay += 1;
      void this.#ask(hostname, this.#hosts.get(hostname));
    }
  }

  async #ask(hostname: string, host: Host | undefined): Promise<void> {
    const { intervalMs, random, after, onAnswer } = this.#options;
    const answer = await this.#answerOf(hostname);
    this.#underWay -= 1;
    // Forgotten meanwhile, and perhaps followed anew.
    if (host !== undefined && this.#hosts.get(hostname) === host) {
      host.cancel = after(intervalMs * (0.9 + 0.2 * random()), () => this.#enqueue(hostname));
      onAnswer(hostname, answer);
    }
    this.#askNext();
  }

  #answerOf(hostname: string): Promise<HostAnswer> {
    return new Promise((resolve) => {
      const cancel = this.#options.after(LONGEST_QUESTION_MS, () => resolve({ ok: false, message: "no answer" }));
      const finish = (answer: HostAnswer): void => {
        cancel();
        resolve(answer);
      };
      const refuse = (error: unknown): void => finish({ ok: false, message: nameFailure(error) });
      try {
        this.#options.resolve(hostname).then((found) => finish(readAnswer(found)), refuse);
      } catch (error) {
        refuse(error);
      }
    });
  }
}

function readAnswer(found: readonly { readonly address: string }[]): HostAnswer {
  const addresses = found.map(({ address }) => address);
  return addresses.length > 0 ? { ok: true, addresses } : { ok: false, message: "no addresses" };
}

function nameFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
