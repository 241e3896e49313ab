import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { RuleAdmissions } from "../admission/index.ts";
import {
  type Members,
  type Relay,
  Roster,
  type TimerWheel,
  type Tunnel,
  type TunnelEnd,
  type TunnelEndListener,
} from "../relay/index.ts";
import type { CommitListener, RuleId } from "../routing/index.ts";
import { type Backend, type Balancer, EARLY_MS, type Lease, type LeaseOutcome } from "../upstream/index.ts";
import { BackendPools } from "./backend-pools.ts";
import { boundConnections, type Bounds, handshakeBound, UNBOUNDED } from "./bounds.ts";
import { ClientConnection, headFault, type Turn } from "./connections.ts";
import { type DataPath, DEFAULT_LIMITS, type ProxyLimits } from "./data-path.ts";
import type { ForbiddenCheck, OwnListener } from "./forbidden-targets.ts";
import { HttpListener, type ListenPlace, type ReceivedUpgrade } from "./http-listener.ts";
import { LiveRules } from "./live-rules.ts";
import { PlainExchange, type PlainSurroundings } from "./plain-http.ts";
import { refuseConnect, refuseConnection, refuseGarbage } from "./refuse-connection.ts";
import { RetryBudgets } from "./retry-budget.ts";
import type { Decider, FollowedRules, LiveContext, ProxyObserver, TunnelListener } from "./types.ts";
import { type OpenedTunnel, UpgradeHandshake, type UpgradeSurroundings } from "./upgrade.ts";

/** For answers that last; a tunnel's sockets are the relay's to care for. */
const TCP_KEEPALIVE_MS = 60_000;

export interface ProxyServerOptions {
  readonly decider: Decider;
  /** Live tunnels follow what its commits change. */
  readonly tables: { onCommit(listener: CommitListener): void };
  readonly balancer: Balancer;
  /** What each rule takes on. */
  readonly admissions: RuleAdmissions;
  /** Tells which backends are gone, so that kept connections to them are closed. */
  readonly backends: { onForgotten(listener: (backend: Backend) => void): void };
  readonly createRelay: (onEnd: TunnelEndListener<LiveContext>) => Relay<LiveContext>;
  /** Started by whoever made it. */
  readonly wheel: TimerWheel;
  readonly observer: ProxyObserver;
  /** A monotonic clock in milliseconds, the wheel's. */
  readonly now: () => number;
  /** The time of day, in milliseconds since 1970. */
  readonly wallNow: () => number;
  /** A short id for a tunnel. */
  readonly randomId: () => string;
  /** This instance's name in Via, the same that the decider knows. */
  readonly pseudonym: string;
  readonly limits?: Partial<ProxyLimits>;
  /** Not given = takes on whatever comes. */
  readonly bounds?: Bounds;
  /** Which targets are refused at dial, whoever named them; not given = none, as in front of a folder. */
  readonly isForbidden?: ForbiddenCheck;
}

/** With what has to be given back at its end. */
interface HeldTunnel extends LiveContext {
  readonly lease: Lease;
}

/** One HTTP/1.1 listener with all that goes on behind it: plain requests, handshakes and tunnels. */
export class ProxyServer {
  readonly #path: DataPath;
  readonly #pools: BackendPools;
  readonly #relay: Relay<LiveContext>;
  readonly #liveRules = new LiveRules();
  readonly #http: HttpListener;
  readonly #randomId: () => string;
  readonly #bounds: Bounds;
  readonly #admissions: RuleAdmissions;
  readonly #budgets = new RetryBudgets();
  /** Those that HTTP is spoken on, and every other client's socket as well: a handshake's, a tunnel's. */
  readonly #connections = new Roster<ClientConnection>();
  /** What all handshakes share, and all plain requests. */
  readonly #surroundings: UpgradeSurroundings & PlainSurroundings;
  #pendingHandshakes = 0;
  #heldTunnels = 0;
  #openRequests = 0;
  #isStopping = false;
  #isLeaving = false;
  #listener: TunnelListener | undefined = undefined;
  /** Told when the last tunnel has ended. */
  #onLastTunnel: () => void = () => {};

  constructor(options: ProxyServerOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { decider, balancer, wheel, observer, now, wallNow, pseudonym, isForbidden } = options;
    this.#path = { decider, balancer, wheel, observer, now, wallNow, pseudonym, limits, isForbidden };
    this.#randomId = options.randomId;
    this.#bounds = options.bounds ?? UNBOUNDED;
    this.#admissions = options.admissions;
    const { connectTimeoutMs, maxHeadBytes } = limits;
    this.#pools = new BackendPools({ wheel, now, connectTimeoutMs, isForbidden, maxHeadBytes });
    this.#surroundings = {
      path: this.#path,
      pools: this.#pools,
      liveRules: this.#liveRules,
      admissions: this.#admissions,
      budgets: this.#budgets,
      onOpened: (opened) => this.#join(opened),
      onDone: () => this.#pendingHandshakes--,
    };
    this.#relay = options.createRelay((tunnel, end) => {
      // Every tunnel of this relay was joined here.
      this.#giveBack(tunnel.context as HeldTunnel, outcomeOf(end));
      observer.tunnelEnded(tunnel.context, end);
      this.#listener?.ended(tunnel);
    });
    options.tables.onCommit((changed) => {
      const { hasPolicies, leaving } = this.#liveRules.follow(changed);
      this.#admissions.rulesChanged(changed);
      if (hasPolicies) this.#relay.policiesChanged();
      if (leaving.size > 0) this.#listener?.rulesChanged(leaving);
    });
    options.backends.onForgotten((backend) => this.#pools.forget(backend.id));
    this.#http = new HttpListener(this.#path, {
      connection: (socket) => this.#onConnection(socket),
      request: (request, response, awaitsContinue) => this.#onRequest(request, response, awaitsContinue),
      upgrade: (upgrade) => this.#onUpgrade(upgrade),
      connect: (socket) => refuseConnect(socket, this.#path),
      clientError: (error, socket) => refuseGarbage(socket, error, this.#path),
    });
  }

  /** Client connections, tunnels included. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** Plain requests being answered. */
  get openRequests(): number {
    return this.#openRequests;
  }

  /** Handshakes without their final answer. */
  get pendingHandshakes(): number {
    return this.#pendingHandshakes;
  }

  /** For whoever paces their end. */
  get tunnels(): Members<Tunnel<LiveContext>> {
    return this.#relay.tunnels;
  }

  /** What live tunnels follow. */
  get followedRules(): FollowedRules {
    return this.#liveRules;
  }

  /** These rules stand in no table any more. */
  forgetRules(ids: readonly RuleId[]): void {
    this.#admissions.forgetRules(ids);
    this.#budgets.forgetRules(ids);
  }

  /** Whoever takes tunnels off backends listens here; one at most. */
  onTunnels(listener: TunnelListener): void {
    this.#listener = listener;
  }

  /** What it listens on at the moment. */
  get listeners(): readonly OwnListener[] {
    return this.#http.listeners;
  }

  /** Port 0 takes a free one. Rejects when the address cannot be had. */
  listen(at: ListenPlace): Promise<OwnListener> {
    return this.#http.listen(at);
  }

  /**
   * From now on each answer to a plain request is the last of its connection, so that few of them are idle when the
   * listener stops: whoever is just sending a request on one would lose it. All else goes on.
   */
  leave(): void {
    this.#isLeaving = true;
  }

  /**
   * Accepts no more connections. Requests and handshakes on those that are there are served, and each such connection
   * ends with its next answer; idle ones end now. Handshakes that wait for their rule are refused. Tunnels go on.
   */
  stopListening(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#http.stop();
    this.#admissions.stop();
  }

  /** Ends everything at once: cuts tunnels, drops requests. Resolves when every socket is closed. */
  async close(): Promise<void> {
    this.stopListening();
    const tunnelsEnded = new Promise<void>((resolve) => {
      if (this.#heldTunnels === 0) resolve();
      else this.#onLastTunnel = resolve;
    });
    for (const tunnel of this.#relay.tunnels) tunnel.cut();
    const closed = [...this.#connections].map(({ socket }) => {
      return new Promise<void>((resolve) => {
        socket.once("close", () => resolve());
        socket.destroy();
      });
    });
    await Promise.all([tunnelsEnded, ...closed]);
    await this.#pools.destroy();
    await this.#http.close();
  }

  #onConnection(socket: Socket): void {
    socket.on("error", ignore);
    const connection = new ClientConnection(socket, this.#connections, this.#path);
    boundConnections(connection, this.#connections.size, this.#bounds, this.#path);
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    const connection = ClientConnection.of(request.socket);
    connection?.enter(() => this.#startExchange(connection, { request, response, awaitsContinue }));
  }

  #startExchange(
    connection: ClientConnection,
    plain: { request: IncomingMessage; response: ServerResponse; awaitsContinue: boolean },
  ): Turn {
    const { request, response } = plain;
    const { drain } = this.#bounds;
    if (this.#isStopping || this.#isLeaving || drain.isDraining || connection.isLast) response.shouldKeepAlive = false;
    const exchange = new PlainExchange(this.#surroundings, {
      ...plain,
      clientAddress: connection.clientAddress,
    });
    this.#openRequests++;
    request.socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    response.once("close", () => {
      this.#openRequests--;
      connection.leave();
      // The answer had left before the listener stopped, and could not say that it was the last.
      if (this.#isStopping && !connection.isBusy) connection.end();
    });
    const fault = headFault(request.httpVersion, request.rawHeaders.length / 2, this.#path.limits);
    if (fault === undefined) void exchange.start();
    else exchange.refuse(fault.code, fault.detail);
    return exchange;
  }

  #onUpgrade({ head, socket, early }: ReceivedUpgrade): void {
    const connection = ClientConnection.of(socket);
    if (connection === undefined) return void socket.destroy();
    if (connection.isEnding) return void socket.resume();
    // Answers that are still under way could not be told from the tunnel's bytes.
    if (connection.isBusy) {
      return refuseConnection(connection, { code: "HF_BAD_REQUEST", detail: "an upgrade sent ahead" }, this.#path);
    }
    const { clientAddress } = connection;
    const handshake = new UpgradeHandshake({ head, socket, early, clientAddress }, this.#surroundings);
    this.#pendingHandshakes++;
    const fault =
      headFault(head.httpVersion, head.headers.length, this.#path.limits) ??
      handshakeBound(this.#bounds, this.#heldTunnels + this.#pendingHandshakes);
    if (fault === undefined) handshake.start();
    else handshake.refuse(fault.code, fault.detail);
  }

  #join({ client, backend, policy, negotiated, rule, lease, clientAddress, durationMs }: OpenedTunnel): void {
    const { target, upstream } = lease.backend;
    const context: HeldTunnel = {
      id: this.#randomId(),
      route: rule.route,
      rule: rule.rule,
      ruleId: rule.id,
      upstream,
      backend: target,
      clientAddress,
      lease,
    };
    this.#heldTunnels++;
    this.#path.observer.handshakeSucceeded(context, durationMs);
    const tunnel = this.#relay.join({ client, backend, policy, negotiated, context });
    // Early bytes may have ended it already.
    if (this.#relay.tunnels.has(tunnel)) this.#listener?.opened(tunnel);
  }

  #giveBack({ lease, ruleId }: HeldTunnel, outcome: LeaseOutcome): void {
    lease.release(outcome);
    this.#liveRules.leave(ruleId);
    this.#admissions.left(ruleId);
    this.#heldTunnels--;
    if (this.#heldTunnels === 0) this.#onLastTunnel();
  }
}

/** Only what the backend did speaks against it: a client that leaves, or breaks the protocol, must not take it out. */
function outcomeOf({ cause, soundMs, clientFaults }: TunnelEnd): LeaseOutcome {
  return cause === "backend_lost" && soundMs < EARLY_MS && clientFaults === undefined ? "endedEarly" : "closed";
}

function ignore(): void {}
