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
  /** Asked and not answered yet. */
  readonly #questions = new Map<string, Promise<HostAnswer>>();
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
    const question = this.#questionFor(hostname);
    const answer = await this.#inTime(question);
    this.#underWay -= 1;
    if (answer === undefined) {
      // The machine puts questions in a queue: asking again would make it longer, and no answer come in time any more.
      if (this.#isFollowed(hostname, host)) this.#options.onAnswer(hostname, { ok: false, message: "no answer" });
      void question.then((late) => this.#answered(hostname, host, late));
    } else {
      this.#answered(hostname, host, answer);
    }
    this.#askNext();
  }

  #answered(hostname: string, host: Host | undefined, answer: HostAnswer): void {
    const { intervalMs, random, after, onAnswer } = this.#options;
    if (host === undefined || !this.#isFollowed(hostname, host)) return;
    host.cancel = after(intervalMs * (0.9 + 0.2 * random()), () => this.#enqueue(hostname));
    onAnswer(hostname, answer);
  }

  /** False: it was forgotten meanwhile, and perhaps is followed anew. */
  #isFollowed(hostname: string, host: Host | undefined): boolean {
    return host !== undefined && this.#hosts.get(hostname) === host;
  }

  /** One question for a host at a time, however often it is forgotten and followed. Never rejects. */
  #questionFor(hostname: string): Promise<HostAnswer> {
    const open = this.#questions.get(hostname);
    if (open !== undefined) return open;
    const question = this.#resolve(hostname).finally(() => this.#questions.delete(hostname));
    this.#questions.set(hostname, question);
    return question;
  }

  async #resolve(hostname: string): Promise<HostAnswer> {
    try {
      return readAnswer(await this.#options.resolve(hostname));
    } catch (error) {
      return { ok: false, message: nameFailure(error) };
    }
  }

  /** undefined: no answer for so long. */
  #inTime(question: Promise<HostAnswer>): Promise<HostAnswer | undefined> {
    return new Promise((resolve) => {
      const cancel = this.#options.after(LONGEST_QUESTION_MS, () => resolve(undefined));
      void question.then((answer) => {
        cancel();
        resolve(answer);
      });
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
