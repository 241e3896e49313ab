import { readlinkSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";
import { basename } from "node:path";

/** Leaves a third of the weight of a thread at 0 (sched(7)): enough to let the data thread go first, and to starve nobody. */
const STEP = 5;

/**
 * Makes the calling thread step back where cores are short. On Linux each thread has a niceness of its own, under its
 * thread id, which only the kernel's own link tells; elsewhere nothing happens. A thread may always lower itself.
 */
export function stepBack(): void {
  try {
    const threadId = Number(basename(readlinkSync("/proc/thread-self")));
    if (threadId > 0 && threadId !== process.pid)
      setPriority(threadId, Math.min(getPriority(threadId) + STEP, constants.priority.PRIORITY_LOW));
  } catch {
    // Only comfort: every guarantee holds without it.
  }
}
