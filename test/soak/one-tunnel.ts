import { setTimeout as sleep } from "node:timers/promises";
import { bringToEnd, type Pair } from "./endings.ts";
import { dial } from "./handshake.ts";
import { judge } from "./judge.ts";
import type { Payloads } from "./payload.ts";
import { Peer } from "./peer.ts";
import type { Random } from "./random.ts";
import { readSlowly, talk } from "./talk.ts";
import { TunnelRecord } from "./tunnel-record.ts";
import type { SoakRule } from "./rules.ts";
import type { SoakWorld } from "./world.ts";

const OPENS_WITHIN_MS = 10_000;
/** Longer than any lawful end takes, that of a killed one that is not killed included. */
const ENDS_WITHIN_MS = 60_000;
/** From when both its ends are closed: the proxy's own waits for the rude, and for the slow. */
const LOGGED_WITHIN_MS = 12_000;

export interface TunnelOptions {
  readonly id: number;
  readonly rule: SoakRule;
  readonly random: Random;
  readonly payloads: Payloads;
  readonly world: SoakWorld;
  /** Registers the tunnel while it lives, for who kills processes. */
  readonly alive: Set<TunnelRecord>;
}

/** Opens a tunnel, lives its life to its end, and tells what was wrong. */
export async function liveOneTunnel(options: TunnelOptions): Promise<TunnelRecord> {
  const { id, rule, world, alive } = options;
  while (rule.killed !== undefined && !world.forwarder.isUp) await sleep(50);
  const record = new TunnelRecord(id, rule, rule.killed);
  alive.add(record);
  try {
    const pair = await open(record, options);
    if (pair !== undefined) await live(pair, options);
    if (!record.hasOpened && !record.isAborted && !record.did("client", "killed") && !record.did("backend", "killed")) {
      record.problem("no tunnel came of the handshake");
    }
    const line = await world.ends.of(record.clientAddress, record.hasOpened ? LOGGED_WITHIN_MS : 0);
    if (line !== undefined) {
      record.note(`log: ${JSON.stringify(line)}`);
      if (record.hasOpened && record.problems.length === 0)
        for (const problem of judge(record, line)) record.problem(problem);
    } else if (record.hasOpened) record.problem("its end was never logged");
  } finally {
    alive.delete(record);
  }
  return record;
}

async function open(record: TunnelRecord, options: TunnelOptions): Promise<Pair | undefined> {
  const { random, payloads, world, rule } = options;
  const arriving = world.arrival(record.id, OPENS_WITHIN_MS);
  const abortAfterMs = rule.killed === undefined && random.chance(0.03) ? random.int(0, 5) : undefined;
  record.isAborted = abortAfterMs !== undefined;
  if (record.isAborted) record.fault("client", "destroy");
  const dialling = dial({
    http: world.http,
    localAddress: record.clientAddress,
    path: `/${rule.name}/${record.id}`,
    tunnel: record.id,
    throughPort: rule.killed === "client" ? world.forwarder.clientSidePort : undefined,
    abortAfterMs,
  });
  const backend = arriving.then((arrival) => {
    if (arrival === undefined) return undefined;
    const peer = new Peer({ record, side: "backend", socket: arrival.socket, random, payloads });
    // Bytes of the tunnel in one packet with the head of the 101.
    arrival.answer(random.chance(0.3) ? peer.early() : Buffer.alloc(0));
    peer.begin(arrival.early);
    arrival.socket.resume();
    return peer;
  });
  const { socket, status, early } = await dialling;
  if (status !== "101") {
    record.note(`the handshake was answered with ${status === "" ? "nothing" : status}`);
    socket.destroy();
    void backend.then((peer) => peer?.socket.destroy());
    return undefined;
  }
  record.hasOpened = true;
  const client = new Peer({ record, side: "client", socket, random, payloads });
  const arrived = await backend;
  if (arrived === undefined) return undefined;
  client.begin(early);
  socket.resume();
  return { client, backend: arrived };
}

async function live(pair: Pair, { random, rule }: TunnelOptions): Promise<void> {
  const { client, backend } = pair;
  const { record } = client;
  const ending = random.pick(rule.endings);
  record.note(`is to end so: ${ending}`);
  const talking = [talk(client), talk(backend)];
  if (random.chance(0.25)) talking.push(readSlowly(client));
  if (random.chance(0.15)) talking.push(readSlowly(backend));
  const closed = Promise.all([client.done, backend.done]);
  await Promise.race([sleep(random.int(100, 4_000)), closed]);
  if (!record.isAborted && record.faults.length === 0) await bringToEnd(pair, ending, random);
  if (ending === "nobody ends it" && rule.killed !== undefined) await Promise.race([sleep(20_000), closed]);
  if (rule.killed !== undefined && record.faults.length === 0) await bringToEnd(pair, "client closes", random);
  if (!(await hasEnded(record))) {
    if (record.problems.length === 0) record.problem(`did not end within ${ENDS_WITHIN_MS} ms`);
    client.socket.destroy();
    backend.socket.destroy();
  }
  await closed;
  await Promise.all(talking);
}

/** Waits for the end of both sides, within the time. Of a tunnel that has gone wrong already there is no more to learn. */
async function hasEnded({ notices, problems }: TunnelRecord): Promise<boolean> {
  const untilMs = performance.now() + ENDS_WITHIN_MS;
  while (performance.now() < untilMs && problems.length === 0) {
    if (notices.client.closedAtMs !== undefined && notices.backend.closedAtMs !== undefined) return true;
    await sleep(50);
  }
  return false;
}
