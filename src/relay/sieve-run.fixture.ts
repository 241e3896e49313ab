import type { FrameSieve, SieveStop } from "./frame-sieve.ts";

export interface SieveRun {
  /** What went on. */
  readonly passed: Buffer;
  /** `wait`: a message that may not begin yet. */
  readonly stoppedBy: SieveStop | "wait" | undefined;
  /** The control frames that were offered. */
  readonly controls: readonly { readonly opcode: number; readonly payload: Uint8Array }[];
  /** Of the source's bytes, those from the frame that stopped it on. */
  readonly rest: Buffer;
}

/** Sends chunks through a sieve as a flow does: what passes is kept, and the first stop or wait ends it. */
export function sieveAll(
  sieve: FrameSieve,
  chunks: readonly Uint8Array[],
  /** Whether a control frame goes on. */
  isAccepted: (opcode: number) => boolean = () => true,
): SieveRun {
  const passed: Uint8Array[] = [];
  const controls: { opcode: number; payload: Uint8Array }[] = [];
  const run = (stoppedBy: SieveRun["stoppedBy"], rest: readonly Uint8Array[]) => ({
    passed: Buffer.concat(passed),
    controls,
    stoppedBy,
    rest: Buffer.concat(rest),
  });
  for (const [index, chunk] of chunks.entries()) {
    for (let at = 0; at < chunk.length; ) {
      const step = sieve.step(chunk, at);
      if (step.kind === "pass") passed.push(chunk.subarray(at, step.next));
      else if (step.kind === "header") passed.push(step.bytes);
      else if (step.kind === "control") {
        controls.push({ opcode: step.opcode, payload: step.payload });
        if (isAccepted(step.opcode)) {
          sieve.accept();
          passed.push(step.bytes);
        }
      } else if (step.kind === "stop" || step.kind === "wait") {
        const why = step.kind === "stop" ? step.why : step.kind;
        return run(why, [sieve.release(), chunk.subarray(step.next), ...chunks.slice(index + 1)]);
      }
      at = step.next;
    }
  }
  return run(undefined, []);
}
