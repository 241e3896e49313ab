import { isWell, type RouteStatus } from "../status/index.ts";

type Condition = RouteStatus["conditions"][number];

/** An Event that is worth telling to whoever owns the route. */
export interface RouteEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

/** What Holdfast was doing when it found out. */
const ACTIONS: Readonly<Record<Condition["type"], string>> = {
  Accepted: "Validating",
  ResolvedRefs: "ResolvingReferences",
  Programmed: "Programming",
};
/** Of a note, as the API server counts: events.k8s.io/v1. */
const LONGEST_NOTE_BYTES = 1024;

/**
 * The Events that a change of status is worth: a Warning for each condition that turned bad, or is bad for another
 * reason, or in other words after the user's edit; a Normal one for each that is well again. Nothing for a new route
 * that is well, nor for what stood before, nor for conditions that only follow from the route not being accepted.
 */
export function eventsOf(before: RouteStatus | undefined, after: RouteStatus): readonly RouteEvent[] {
  const complaints = complaintsOf(before?.conditions ?? []);
  const isEdited = before !== undefined && before.generation !== after.generation;
  const warnings = complaintsOf(after.conditions).filter((bad) => {
    const old = complaints.find(({ type }) => type === bad.type);
    const isSame = old?.status === bad.status && old.reason === bad.reason;
    return !isSame || (isEdited && old.message !== bad.message);
  });
  const recoveries = after.conditions.filter(
    (condition) => isWell(condition) && complaints.some(({ type }) => type === condition.type),
  );
  return [
    ...warnings.map((bad) => eventOf("Warning", bad, bad.message)),
    ...recoveries.map((well) => eventOf("Normal", well, `condition ${well.type} holds again`)),
  ];
}

function complaintsOf(conditions: readonly Condition[]): readonly Condition[] {
  const refused = conditions.find(({ type, status }) => type === "Accepted" && status !== "True");
  return refused === undefined ? conditions.filter((condition) => !isWell(condition)) : [refused];
}

function eventOf(type: RouteEvent["type"], condition: Condition, words: string): RouteEvent {
  const note = shorten(words === "" ? `condition ${condition.type} is ${condition.status}` : words);
  return { type, reason: condition.reason, action: ACTIONS[condition.type], note };
}

/** Cut between characters, never within one. */
function shorten(text: string): string {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= LONGEST_NOTE_BYTES) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(LONGEST_NOTE_BYTES - 3));
  return `${text.slice(0, read)}…`;
}
