import type { IncomingMessage, ServerResponse } from "node:http";
import { errors, type Dispatcher } from "undici";
import type { TimerHandle } from "../relay/index.ts";
import type { CompiledRule } from "../routing/index.ts";
import type { BackendId, Lease, LeaseOutcome, Wish } from "../upstream/index.ts";
import { withAffinity } from "./affinity-cookie.ts";
import { answerHeaders, answerOf, type ProxyErrorCode } from "./answers.ts";
import { type BackendPools, DialError } from "./backend-pools.ts";
import type { Turn } from "./connections.ts";
import { type DialAnswer, dialAnswer } from "./dial.ts";
import { type DataPath, factsOf, receivedHead, safeReason, tellRefused, textOf } from "./data-path.ts";
import { breakOff } from "./linger.ts";
import { refuseResponse, withConnection } from "./refuse.ts";
import { hasBody, RequestBody } from "./request-body.ts";
import { FurtherTries } from "./further-tries.ts";
import type { RetryBudgets } from "./retry-budget.ts";
import { pairsOf, valuesOf } from "./raw-headers.ts";
import { answerFault, responseHeaders } from "./response-headers.ts";
import type { Decision, HeaderPair, OutgoingHead } from "./types.ts";

/** What all plain requests share. */
export interface PlainSurroundings {
  readonly path: DataPath;
  readonly pools: BackendPools;
  readonly budgets: RetryBudgets;
}

export interface PlainRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly clientAddress: string;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly awaitsContinue: boolean;
}

/** Of a request that met a kept connection's end; several may have died at once. */
const MAX_REPEATS = 3;
/** May be sent again when a kept connection turns out to be dead (RFC 9110 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/**
 * One plain request on its way to a backend and back, streamed both ways: nothing is kept, a slow reader slows the
 * writer. Ends exactly once: with the backend's answer, with one of ours, or, once the backend's head is out, by
 * closing the client's connection in the middle, so that half an answer never looks whole.
 */
export class PlainExchange implements Dispatcher.DispatchHandler, Turn {
  readonly #path: DataPath;
  readonly #around: PlainSurroundings;
  readonly #in: PlainRequest;
  readonly #startedAtMs: number;
  readonly #tried = new Set<BackendId>();
  #rule: CompiledRule | undefined = undefined;
  #head: OutgoingHead | undefined = undefined;
  #hashKey: string | undefined = undefined;
  #affinity: readonly string[] = [];
  #body: RequestBody | null = null;
  #lease: Lease | undefined = undefined;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #further: FurtherTries | undefined = undefined;
  #repeats = 0;
  #isBodySent = false;
  #bytesUp = 0;
  /** The client can tell where the body of its answer ends. */
  #isFramed = true;
  #isOver = false;
  #answerTimer: TimerHandle | undefined = undefined;
  #deadline: TimerHandle | undefined = undefined;

  constructor(around: PlainSurroundings, plain: PlainRequest) {
    const { path } = around;
    this.#path = path;
    this.#around = around;
    this.#in = plain;
    this.#startedAtMs = path.now();
    plain.request.on("error", () => {});
    plain.response.on("error", () => {});
    plain.response.once("close", () => this.abandon());
  }

  get hasAnswered(): boolean {
    return this.#in.response.headersSent;
  }

  /** Decides and goes. Failures become answers; the promise never rejects. */
  async start(): Promise<void> {
    const { request, clientAddress } = this.#in;
    try {
      const decision = await this.#path.decider.decide(factsOf(receivedHead(request), clientAddress));
      if (this.#isOver) return;
      if (decision.kind === "refuse") {
        this.#rule = decision.entry?.rule;
        this.#refuse(decision.code, decision.detail, decision.headers);
      } else if (decision.kind === "forward") this.#forward(decision);
      else this.#refuse("HF_BAD_REQUEST", "an upgrade that could be read in two ways");
    } catch (error) {
      this.#refuse("HF_INTERNAL", textOf(error));
    }
  }

  /** Nobody waits for the answer any more: the request to the backend is given up. */
  abandon(): void {
    if (this.#finish("lost")) this.#stopBackend("the client has gone");
  }

  /** Before a match: the message itself is at fault. */
  refuse(code: ProxyErrorCode, detail: string): void {
    this.#refuse(code, detail);
  }

  #forward({ entry, head, hashKey, affinity }: Extract<Decision, { kind: "forward" }>): void {
    const { rule } = entry;
    this.#rule = rule;
    this.#head = head;
    this.#hashKey = hashKey;
    this.#affinity = affinity;
    if (hasBody(this.#in.request)) this.#body = new RequestBody(this.#in.request);
    if (this.#in.awaitsContinue) this.#in.response.writeContinue();
    const { requestMs } = rule.policy;
    if (requestMs > 0) {
      const remainingMs = requestMs - (this.#path.now() - this.#startedAtMs);
      this.#deadline = this.#path.wheel.schedule(remainingMs, () => this.#fail("HF_REQUEST_DEADLINE", ""));
    }
    const { balancer, observer, now } = this.#path;
    const budget = this.#around.budgets.earn(rule.id, this.#startedAtMs);
    this.#further = new FurtherTries({ rule: () => rule, budget, balancer, observer, now, isUpgrade: false });
    this.#try(balancer.acquire(rule, this.#wish), { code: "HF_NO_BACKEND", detail: "" });
  }

  /** `otherwise`: what the client is told when there is no place. */
  #try(lease: Lease | undefined, otherwise: DialAnswer): void {
    if (lease === undefined || this.#head === undefined) return this.#refuse(otherwise.code, otherwise.detail);
    this.#lease = lease;
    this.#tried.add(lease.backend.id);
    this.#send(lease, this.#head);
  }

  get #wish(): Wish {
    return { use: "request", tried: this.#tried, hashKey: this.#hashKey, affinity: this.#affinity };
  }

  #send(lease: Lease, head: OutgoingHead): void {
    this.#controller = undefined;
    this.#around.pools.poolOf(lease.backend).dispatch(
      {
        path: head.target,
        method: head.method,
        headers: head.headers.flat(),
        body: this.#body,
        // Ours instead, since undici's also cuts uploads that pause.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      this,
    );
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error("nobody waits for it"));
    else this.#awaitAnswer();
  }

  onBodySent(chunk: Buffer): void {
    this.#bytesUp += chunk.length;
  }

  onRequestSent(): void {
    this.#isBodySent = true;
    this.#awaitAnswer();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _headers: unknown, reason?: string): void {
    if (status < 200 || this.#isOver) return;
    this.#path.wheel.cancel(this.#answerTimer);
    const raw = controller.rawHeaders;
    try {
      this.#answer(status, safeReason(reason), pairsOf(Array.isArray(raw) ? raw : []));
    } catch (error) {
      this.#fail("HF_BACKEND_BAD_RESPONSE", textOf(error));
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver || this.#in.response.write(chunk) || controller.paused) return;
    controller.pause();
    this.#in.response.once("drain", () => controller.resume());
  }

  onResponseEnd(): void {
    if (this.#finish("closed")) this.#in.response.end();
  }

  onResponseError(_controller: unknown, error: Error): void {
    if (this.#isOver) return;
    if (this.#controller === undefined) return this.#onNotSent(error);
    if (this.#mayRepeat(error)) {
      this.#repeats++;
      if (this.#lease !== undefined && this.#head !== undefined) return this.#send(this.#lease, this.#head);
    }
    this.#fail(codeOf(error), textOf(error));
  }

  /** No byte of the request was written and none of its body read: another backend may have it. */
  #onNotSent(error: Error): void {
    if (error instanceof errors.InvalidArgumentError) return this.#refuse("HF_BAD_REQUEST", error.message);
    const isDial = error instanceof DialError;
    this.#lease?.release(isDial ? "dialFailed" : "lost");
    this.#lease = undefined;
    const otherwise: DialAnswer = isDial
      ? dialAnswer(error.failure, error.message)
      : { code: "HF_NO_BACKEND", detail: "" };
    this.#try(this.#further?.next("Connect", this.#wish), otherwise);
  }

  /** The connection had served others before and was closed just as this request was written on it. */
  #mayRepeat(error: Error): boolean {
    if (this.#repeats >= MAX_REPEATS || this.#body !== null || this.#in.response.headersSent) return false;
    if (!IDEMPOTENT.has(this.#in.request.method ?? "")) return false;
    return error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0;
  }

  #answer(status: number, reason: string, received: readonly HeaderPair[]): void {
    const { request, response } = this.#in;
    const rule = this.#rule;
    if (rule === undefined) return;
    const fault = answerFault(status, received);
    if (fault !== undefined) return this.#fail("HF_BACKEND_BAD_RESPONSE", fault);
    // An answer before the end of the upload: what is still coming is discarded, and the connection with it.
    if (!request.complete) response.shouldKeepAlive = false;
    const { pseudonym, observer, now } = this.#path;
    const passed = responseHeaders(status, received, { edits: rule.responseHeaders, pseudonym });
    const headers = withAffinity(passed, rule.policy.affinity, this.#lease?.affinity);
    response.writeHead(status, reason, (response.shouldKeepAlive ? headers : withConnection(headers, "close")).flat());
    response.flushHeaders();
    this.#isFramed = response.chunkedEncoding || valuesOf(headers, "content-length").length > 0;
    const { route, rule: name } = rule;
    observer.forwarded({ route, rule: name, status, durationMs: now() - this.#startedAtMs, upgrade: false });
  }

  /**
   * From here on the backend has `responseHeadersMs` for its head. While the body is on its way the time counts only
   * where it is the backend that does not read: a client may pause.
   */
  #awaitAnswer(): void {
    const limitMs = this.#rule?.policy.responseHeadersMs ?? 0;
    this.#path.wheel.cancel(this.#answerTimer);
    if (limitMs === 0 || this.#isOver || this.#in.response.headersSent) return;
    const bytesUp = this.#bytesUp;
    this.#answerTimer = this.#path.wheel.schedule(limitMs, () => {
      const isUploading = !this.#isBodySent && (this.#bytesUp !== bytesUp || this.#body?.isPaused() === false);
      if (isUploading) this.#awaitAnswer();
      else this.#fail("HF_RESPONSE_TIMEOUT", "");
    });
  }

  #fail(code: ProxyErrorCode, detail: string): void {
    const { response } = this.#in;
    if (!response.headersSent) return this.#refuse(code, detail);
    if (!this.#finish("lost")) return;
    const { socket } = response;
    if (this.#isFramed) socket?.destroy();
    else if (socket !== null) breakOff(socket);
    this.#stopBackend(code);
  }

  #refuse(code: ProxyErrorCode, detail: string, headers: readonly HeaderPair[] = answerHeaders(code)): void {
    if (!this.#finish(code === "HF_REQUEST_DEADLINE" ? "closed" : "lost")) return;
    const { request, response, clientAddress } = this.#in;
    this.#stopBackend(code);
    tellRefused(this.#path.observer, { code, detail, rule: this.#rule, clientAddress, isUpgrade: false });
    if (response.destroyed) return;
    // Where one request could not be read for sure, neither can the next.
    if (!request.complete || answerOf(code).status === 400) response.shouldKeepAlive = false;
    refuseResponse(response, { code, detail, headers, accept: request.headers.accept });
  }

  /** True once: whoever gets it says how the exchange ends. */
  #finish(outcome: LeaseOutcome): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#path.wheel.cancel(this.#answerTimer);
    this.#path.wheel.cancel(this.#deadline);
    this.#lease?.release(outcome);
    return true;
  }

  #stopBackend(why: string): void {
    this.#controller?.abort(new Error(why));
    this.#body?.destroy();
    // What nobody reads would keep the connection from ever seeing its end.
    this.#in.request.resume();
  }
}

function codeOf(error: NodeJS.ErrnoException): ProxyErrorCode {
  const isMisread =
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError ||
    // undici asserts what a status may be.
    error.code === "ERR_ASSERTION" ||
    (error instanceof errors.SocketError && error.message.startsWith("bad "));
  return isMisread ? "HF_BACKEND_BAD_RESPONSE" : "HF_BACKEND_RESET";
}
