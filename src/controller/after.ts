import type { After } from "./types.ts";

/** The real timer. Without a delay: when what is due now has run, sooner than any timer would. */
export const afterDelay: After = (delayMs, run) => {
  if (delayMs <= 0) {
    const turn = setImmediate(run);
    return () => clearImmediate(turn);
  }
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
};
