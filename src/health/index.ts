/**
 * health: asks backends by probes of our own whether they are well, beside what the source says of them.
 * In: the rules in force, which backends are ready. Out: a verdict on each backend for each kind of probe, when it changes.
 * May import routing and upstream by their doors, relay's timer wheel (type), ws, and node's http and net.
 * Must never: choose a backend; close a tunnel; connect where that is forbidden; throw on what a backend says; log or count by itself.
 */
export { Probing, type ProbingOptions } from "./probing.ts";
export type * from "./types.ts";
