import type { Socket } from "node:net";
import type { Roster, RosterMember } from "../relay/index.ts";
import type { ProxyErrorCode } from "./answers.ts";
import { linger, type LingerOptions } from "./linger.ts";

/** Requests a client may send ahead of the answers; beyond them the connection ends after the last answer. */
const MAX_WAITING = 16;

/** A plain request being answered, as its connection sees it. */
export interface Turn {
  /** Nobody waits for the answer any more. */
  abandon(): void;
  /** The head of an answer is on its way to the client: nothing else can be said on this connection. */
  readonly hasAnswered: boolean;
}

const CONNECTION = Symbol("client connection");
type HeldSocket = Socket & { [CONNECTION]?: ClientConnection };

/**
 * A client's connection while HTTP is spoken on it. Answers go out in the order of the requests, and each request
 * starts when the one before is answered: a client that sends many ahead gets one backend at a time, not many.
 */
export class ClientConnection implements RosterMember {
  rosterPlace = -1;
  readonly socket: Socket;
  readonly clientAddress: string;
  readonly #roster: Roster<ClientConnection>;
  readonly #linger: LingerOptions;
  #current: Turn | undefined = undefined;
  #waiting: (() => Turn)[] = [];
  #isFull = false;
  #isEnding = false;

  constructor(socket: Socket, roster: Roster<ClientConnection>, options: LingerOptions) {
    this.socket = socket;
    this.clientAddress = plainAddress(socket.remoteAddress);
    this.#roster = roster;
    this.#linger = options;
    const held: HeldSocket = socket;
    held[CONNECTION] = this;
    // Node's HTTP ends a connection with this after its last answer, and would destroy it with bytes unread.
    held.destroySoon = endConnection;
    held.on("close", leaveRoster);
    roster.add(this);
  }

  /** The connection of a client's socket. */
  static of(socket: Socket): ClientConnection | undefined {
    return (socket as HeldSocket)[CONNECTION];
  }

  get isBusy(): boolean {
    return this.#current !== undefined;
  }

  /** Our half is ended or about to be: whatever still comes is discarded. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** The head of the current answer is out. */
  get hasAnswered(): boolean {
    return this.#current?.hasAnswered === true;
  }

  /** The request whose turn it is has to be the last. */
  get isLast(): boolean {
    return this.#isFull && this.#waiting.length === 0;
  }

  /** Starts the request, at once or when its turn comes. A connection that is ending takes none. */
  enter(start: () => Turn): void {
    if (this.#isEnding || this.#isFull) return;
    if (this.#current === undefined) {
      this.#current = start();
      return;
    }
    this.#isFull = this.#waiting.length >= MAX_WAITING;
    if (!this.#isFull) this.#waiting.push(start);
    this.socket.pause();
  }

  /** The current request is answered; the next one starts. */
  leave(): void {
    this.#current = undefined;
    const next = this.#waiting.shift();
    if (this.#isEnding || this.socket.destroyed) return;
    if (this.#waiting.length === 0) this.socket.resume();
    if (next !== undefined) this.#current = next();
  }

  /** Gives up what is under way: the connection is of no use any more. False when it had been given up before. */
  giveUp(): boolean {
    if (this.#isEnding) return false;
    this.#isEnding = true;
    this.#waiting = [];
    this.#current?.abandon();
    return true;
  }

  /** The socket is closed. */
  leaveRoster(): void {
    this.#roster.delete(this);
  }

  /** No more requests: ends our half and lingers. */
  end(): void {
    this.#isEnding = true;
    linger(this.socket, this.#linger);
  }
}

// For every socket the same functions: nothing is made for each of thousands of connections per second.
function endConnection(this: Socket): void {
  ClientConnection.of(this)?.end();
}

function leaveRoster(this: Socket): void {
  ClientConnection.of(this)?.leaveRoster();
}

/** What Node's parser lets pass and we do not serve. `headers` = how many lines of them. */
export function headFault(
  httpVersion: string,
  headers: number,
  limits: { readonly maxHeaders: number },
): { readonly code: ProxyErrorCode; readonly detail: string } | undefined {
  if (httpVersion !== "1.1" && httpVersion !== "1.0") {
    return { code: "HF_BAD_REQUEST", detail: "an HTTP version other than 1.0 and 1.1" };
  }
  if (headers > limits.maxHeaders) {
    return { code: "HF_HEAD_TOO_LARGE", detail: `more than ${limits.maxHeaders} headers` };
  }
  return undefined;
}

/** The answer to what Node's parser refuses. */
export function parserFault(error: NodeJS.ErrnoException & { readonly reason?: string }): {
  readonly code: ProxyErrorCode;
  readonly detail: string;
} {
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") return { code: "HF_REQUEST_TIMEOUT", detail: "" };
  if (error.code === "HPE_HEADER_OVERFLOW") return { code: "HF_HEAD_TOO_LARGE", detail: "" };
  return { code: "HF_BAD_REQUEST", detail: error.reason ?? error.code ?? "" };
}

/** IPv4 clients of a dual-stack listener come as `::ffff:192.0.2.1`. */
export function plainAddress(address: string | undefined): string {
  // Nearly all addresses are plain, and this is asked for every connection.
  return address?.startsWith("::") === true ? address.replace(/^::ffff:(?=\d+\.)/i, "") : (address ?? "");
}
