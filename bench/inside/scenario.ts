/** One cost: what is set up once and then done many times over. */
export interface Scenario {
  readonly name: string;
  readonly unit: "ns" | "µs";
  /** Not more than this, in `unit`; undefined = no goal of its own. */
  readonly goal?: number;
  /** How often one run does what is measured: so often that a run takes a millisecond or more. */
  readonly units: number;
  readonly setup: () => Work;
}

export interface Work {
  /** Before each run, not measured: what a run uses up. */
  readonly prepare?: () => void;
  /** Returns something that depends on all that was done, so that nothing can be left out by the compiler. */
  readonly run: () => number;
  /** What each run has to return. */
  readonly expected: number;
}

/** Makes, each time it is called, a string that nobody has hashed or interned yet: as a parser makes them. ASCII only. */
export function freshText(text: string): () => string {
  const bytes = Buffer.from(text, "latin1");
  return () => bytes.toString("latin1");
}
