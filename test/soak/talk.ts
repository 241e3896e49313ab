import { setTimeout as sleep } from "node:timers/promises";
import type { Peer } from "./peer.ts";

const LARGEST_MESSAGE = 1024 * 1024;
const MOST_FRAGMENTS = 20;

/** Sends what comes to mind, with rests, until the tunnel ends or the side is hushed. */
export async function talk(peer: Peer): Promise<void> {
  const { random, record } = peer;
  const { maxMessageBytes, maxFragments, clientPacePerSecond, clientBytesPerSecond } = record.rule;
  const pace = peer.side === "client" ? clientPacePerSecond : undefined;
  const isBulky = random.chance(0.2) || (clientBytesPerSecond !== undefined && peer.side === "client");
  const largest = Math.min(LARGEST_MESSAGE, maxMessageBytes ?? LARGEST_MESSAGE);
  while (peer.mayBegin) {
    if (random.chance(0.25)) peer.control();
    else {
      const size = random.chance(0.02) ? largest : random.size(isBulky || random.chance(0.1) ? largest : 8_192);
      const fragments = random.chance(0.3) ? random.int(2, maxFragments ?? MOST_FRAGMENTS) : 1;
      await peer.message(size, fragments);
    }
    if (pace !== undefined) await sleep(1000 / pace);
    else if (!isBulky || random.chance(0.3)) await sleep(random.int(0, 150));
  }
}

/** Reads in bursts, so that what is sent to this side has to wait. */
export async function readSlowly(peer: Peer): Promise<void> {
  const { random, socket } = peer;
  while (peer.isTalking) {
    socket.pause();
    await sleep(random.int(50, 600));
    socket.resume();
    await sleep(random.int(20, 300));
  }
  socket.resume();
}
