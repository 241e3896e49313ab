import { accepts, type RouteCase, refuses, shape } from "./build.ts";

/** A field that takes whole numbers from `least` to `most`. */
export interface NumberPlace {
  /** For names of cases. */
  readonly name: string;
  /** `spec.rules[0].retry.attempts`. */
  readonly field: string;
  readonly put: (value: unknown) => Readonly<Record<string, unknown>>;
  readonly least: number;
  readonly most: number;
  /** Where they say more than the number. */
  readonly tooLittle?: string;
  readonly tooMuch?: string;
}

/** Both ends, what lies just beyond them, and what is no whole number. */
export function numberCases(place: NumberPlace): readonly RouteCase[] {
  const { name, field, put, least, most } = place;
  const { tooLittle = `must be at least ${least}`, tooMuch = `must be at most ${most}` } = place;
  return [
    ...[least, most].map((value) => accepts(`${name} of ${value}`, put(value))),
    ...[least - 1, -(2 ** 31)].map((value) => refuses(`${name} of ${value}`, put(value), shape(field, tooLittle))),
    ...[most + 1, 2 ** 53].map((value) => refuses(`${name} of ${value}`, put(value), shape(field, tooMuch))),
    refuses(`${name} of ${least} and a half`, put(least + 0.5), shape(field, "must be a whole number")),
    refuses(`${name} as a text`, put(`${least}`), shape(field, "must be a number, not a text")),
  ];
}
