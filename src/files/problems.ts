import type { Log } from "../controller/index.ts";

/** Something in the folder that needs its owner's hand. */
export interface Problem {
  /** Path inside the folder, with `/`; "" = the folder itself. */
  readonly file: string;
  /** From 1; 0 = the file as a whole. */
  readonly line: number;
  readonly message: string;
}

/** A message may quote what its writer wrote, which may be megabytes. */
const LONGEST_MESSAGE = 1000;

/** The problems that stand, by what they are about. Each is said once when it comes, and its mending is said too. */
export class Problems {
  readonly #log: Log;
  readonly #byTopic = new Map<string, readonly Problem[]>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** In order of file and line. */
  list(): readonly Problem[] {
    return [...this.#byTopic.values()].flat().sort((a, b) => compareText(a.file, b.file) || a.line - b.line);
  }

  /** All that is wrong with a topic from now on; nothing = it was mended. */
  set(topic: string, found: readonly Problem[]): void {
    const problems = found.map(shorten);
    const before = this.#byTopic.get(topic) ?? [];
    if (problems.length === 0 && before.length === 0) return;
    // A line may move by an edit above it; that is no other problem.
    const said = new Set(before.map(({ file, message }) => `${file}|${message}`));
    for (const { file, line, message } of problems) {
      if (!said.has(`${file}|${message}`)) this.#log.warn({ file, line, problem: message }, "manifest problem");
    }
    if (problems.length > 0) {
      this.#byTopic.set(topic, problems);
      return;
    }
    this.#byTopic.delete(topic);
    for (const file of new Set(before.map((problem) => problem.file)))
      this.#log.info({ file }, "manifest problem mended");
  }
}

function shorten(problem: Problem): Problem {
  const { message } = problem;
  return message.length <= LONGEST_MESSAGE ? problem : { ...problem, message: `${message.slice(0, LONGEST_MESSAGE)}…` };
}

/** The order of files: by UTF-16 units of their paths, the same on every machine. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
