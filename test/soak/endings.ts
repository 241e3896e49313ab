import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { OPCODE } from "./frames.ts";
import type { Peer } from "./peer.ts";
import type { Random } from "./random.ts";
import type { Ending } from "./rules.ts";
import { talk } from "./talk.ts";
import { BAD_CLOSES, VIOLATIONS } from "./violations.ts";

/** Both ends of a tunnel. */
export interface Pair {
  readonly client: Peer;
  readonly backend: Peer;
}

const CODES = [1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4401, 4999, undefined];

/** Does what ends a tunnel. Every deed is written down before it is done. */
export async function bringToEnd(pair: Pair, ending: Ending, random: Random): Promise<void> {
  const { client, backend } = pair;
  const either = random.chance(0.5) ? client : backend;
  const deeds: Readonly<Record<Ending, () => void | Promise<void>>> = {
    "client closes": () => sayClose(client),
    "backend closes": () => sayClose(backend),
    "both close": () => {
      sayClose(client);
      sayClose(backend);
    },
    "client ends TCP": () => client.leave("fin"),
    "backend ends TCP": () => backend.leave("fin"),
    "client breaks off": () => client.leave(random.pick(["reset", "destroy"])),
    "backend breaks off": () => backend.leave(random.pick(["reset", "destroy"])),
    "breaks off inside a frame": () => breakOffInsideFrame(either),
    "nobody ends it": () => {},
    silence: async () => {
      await Promise.all([client.hush(), backend.hush()]);
      client.record.fault("client", "silent");
    },
    "long in answering": () => (either === client ? ask(backend, client) : ask(client, backend)),
    "client is dead": () => fallMute(client, backend),
    "backend is dead": () => fallMute(backend, client),
    violation: () => violate(either),
    "too big": () => exceedSize(either),
    "too many fragments": () => exceedFragments(either),
    "too fast": () => hurry(client),
  };
  await deeds[ending]();
}

function sayClose(peer: Peer): void {
  const { random } = peer;
  const code = random.pick(CODES);
  peer.record.fault(peer.side, "close");
  peer.close(code, code === undefined ? "" : "because ä".repeat(12).slice(0, random.int(0, 100)));
}

async function breakOffInsideFrame(peer: Peer): Promise<void> {
  await peer.hush();
  const frame = peer.encode({ opcode: OPCODE.binary, payload: randomBytes(peer.random.int(1, 200_000)) });
  const deed = peer.random.pick(["fin", "reset", "destroy"] as const);
  peer.breakFrame(frame.subarray(0, peer.random.int(1, frame.length - 1)));
  // Gives it time to arrive: a reset on its heels would take it back.
  await sleep(50);
  peer.leave(deed, { isMidFrame: true });
}

/** Pings a side that says nothing else and takes longer to answer than the proxy is used to. */
async function ask(asker: Peer, asked: Peer): Promise<void> {
  await Promise.all([asker.hush(), asked.hush()]);
  asked.pongDelayMs = [1_100, 1_400];
  for (let count = 0; count < 4; count += 1) {
    asker.ping();
    await sleep(1_700);
  }
  sayClose(asker);
}

/** The other side says little from then on: the more waits for a peer, the longer the proxy waits for it. */
async function fallMute(peer: Peer, other: Peer): Promise<void> {
  await other.hush();
  // What the proxy has been silent about since the peer's last byte is less than it takes for slow.
  await sleep(200);
  peer.record.fault(peer.side, "mute");
  peer.isMute = true;
  peer.isTalking = false;
  if (peer.random.chance(0.5)) return;
  other.speakAgain();
  while (other.mayBegin) {
    await other.message(other.random.int(0, 100));
    await sleep(100);
  }
}

async function violate(peer: Peer): Promise<void> {
  const { record, side, random } = peer;
  await peer.hush();
  const ledger = record.sent[side];
  const isEnforced = record.rule.strictness === "Enforce";
  if (random.chance(0.15)) {
    if (isEnforced) ledger.seal();
    record.violation = { side, fault: "bad_close", losesFraming: false };
    record.fault(side, isEnforced ? "violation" : "close");
    peer.closeWith(random.pick(BAD_CLOSES));
    return;
  }
  const violation = random.pick(VIOLATIONS);
  const bytes = violation.bytes(peer);
  record.violation = { side, fault: violation.fault, losesFraming: violation.losesFraming };
  record.note(`${side} is about to break the protocol: ${violation.fault}`);
  record.fault(side, "violation");
  if (isEnforced) ledger.seal();
  else if (violation.losesFraming) ledger.loseFraming();
  peer.write(bytes);
  if (isEnforced) return goOnRegardless(peer);
  if (violation.losesFraming) {
    for (let more = random.int(0, 5); more > 0; more -= 1) peer.write(randomBytes(random.int(1, 100_000)));
    await sleep(random.int(0, 500));
    peer.leave("fin");
  } else sayClose(peer);
}

/** Sends on, sometimes, although it has been against the rule: who is closed under backpressure must learn why, too. */
async function goOnRegardless(peer: Peer): Promise<void> {
  if (peer.random.chance(0.5)) return;
  peer.speakAgain();
  await talk(peer);
}

async function exceedSize(peer: Peer): Promise<void> {
  const { record, side, random } = peer;
  await peer.hush();
  const most = record.rule.maxMessageBytes ?? 0;
  const fragments = random.int(1, record.rule.maxFragments ?? 1);
  const before = fragments === 1 ? 0 : random.int(0, most);
  let opcode: number = OPCODE.binary;
  for (let index = 0; index < fragments - 1; index += 1) {
    const size = index === 0 ? before : 0;
    peer.send({ opcode, payload: Buffer.alloc(size), isFinal: false });
    opcode = OPCODE.continuation;
  }
  record.fault(side, "too_big");
  record.sent[side].seal();
  peer.send({ opcode, payload: randomBytes(most + 1 - before + random.size(500_000)) });
  await goOnRegardless(peer);
}

async function exceedFragments(peer: Peer): Promise<void> {
  const { record, side } = peer;
  await peer.hush();
  const most = record.rule.maxFragments ?? 0;
  for (let index = 0; index < most; index += 1) {
    const opcode = index === 0 ? OPCODE.text : OPCODE.continuation;
    peer.send({ opcode, payload: Buffer.alloc(peer.random.int(0, 100)), isFinal: false });
  }
  record.fault(side, "too_many_fragments");
  record.sent[side].seal();
  peer.send({ opcode: OPCODE.continuation, payload: Buffer.alloc(10) });
  await goOnRegardless(peer);
}

async function hurry(peer: Peer): Promise<void> {
  peer.record.fault(peer.side, "too_fast");
  const isOfMessages = peer.random.chance(0.5);
  for (let count = 0; count < 600 && peer.isTalking; count += 1) {
    if (isOfMessages) await peer.message(peer.random.int(0, 50));
    else peer.control();
  }
}
