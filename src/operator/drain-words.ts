import type { DrainAnswer } from "./answers.ts";
import { DONE, FAILED, TIME_IS_UP } from "./exit-codes.ts";
import { counted, durationInWords } from "./figures.ts";

/** What is said of a drain, and the exit code that goes with it. */
export interface DrainSaying {
  readonly words: string;
  readonly exitCode: number;
}

/** A drain that was ordered just now, and was not waited for. */
export function sayBegun(drain: DrainAnswer): DrainSaying {
  if (drain.state !== "running") return { ...sayOver(drain), exitCode: DONE };
  const { id, target, waiting, closing, endsInMs } = drain;
  const time = endsInMs !== undefined && endsInMs > 0 ? `, the last one in ${durationInWords(endsInMs)}` : "";
  return { words: `${id} closes ${counted(waiting + closing, "tunnel")} (${target})${time}`, exitCode: DONE };
}

/** A drain that was waited for. */
export function sayOver({ id, target, state, waiting, closing, gone }: DrainAnswer): DrainSaying {
  const left = waiting + closing;
  switch (state) {
    case "done":
      return { words: `${id} is done: ${gone} gone, none left (${target})`, exitCode: DONE };
    case "stopped":
      return { words: `${id} was stopped: ${gone} gone, ${left} left (${target})`, exitCode: FAILED };
    default: {
      const words = `${id}: the time is up, ${left} left, ${gone} gone; closing goes on (${target})`;
      return { words, exitCode: TIME_IS_UP };
    }
  }
}

/** A drain that was stopped as asked. */
export function sayStopped(drain: DrainAnswer): DrainSaying {
  return { ...sayOver(drain), exitCode: DONE };
}
