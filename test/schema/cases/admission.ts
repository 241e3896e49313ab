import { accepts, cel, type RouteCase, refuses, withRule } from "./build.ts";
import { numberCases } from "./numbers.ts";

const AT = "spec.rules[0].admission";
const MOST_WAITING = 100_000;
const NO_LIMIT =
  "there is no limit to wait for: set maxTunnels, maxTunnelsPerBackend or handshakesPerSecond, or leave queue out";
const LIMITS = [
  ["maxTunnels", 1_000_000],
  ["maxTunnelsPerBackend", 1_000_000],
  ["handshakesPerSecond", 100_000],
] as const;

const withAdmission = (admission: object) => withRule({ admission });
/** A queue needs a limit. */
const withWaiting = (name: string, fields: object) => withAdmission({ maxTunnels: 1, [name]: fields });

/** Durations stand with the others. */
export const ADMISSION_CASES: readonly RouteCase[] = [
  accepts("an empty admission", withAdmission({})),
  accepts(
    "everything of admission at once",
    withAdmission({
      ...Object.fromEntries(LIMITS),
      queue: { size: 1, timeout: "1s" },
      holdUntilReady: { size: 1, timeout: "1m" },
    }),
  ),
  ...LIMITS.flatMap(([name, most]) => [
    ...numberCases({
      name: `admission.${name}`,
      field: `${AT}.${name}`,
      put: (value) => withAdmission({ [name]: value }),
      least: 1,
      most,
      tooLittle: "must be at least 1; leave the field out for no limit",
      tooMuch: `must be at most ${most}; leave the field out for no limit`,
    }),
    accepts(`a queue beside ${name}`, withAdmission({ [name]: 5, queue: {} })),
  ]),
  refuses("a queue without a limit", withAdmission({ queue: {} }), cel(`${AT}.queue`, NO_LIMIT)),
  refuses(
    "a queue beside holdUntilReady alone",
    withAdmission({ queue: { size: 5 }, holdUntilReady: {} }),
    cel(`${AT}.queue`, NO_LIMIT),
  ),
  accepts("holdUntilReady without a limit", withAdmission({ holdUntilReady: {} })),
  ...["queue", "holdUntilReady"].flatMap((name) =>
    numberCases({
      name: `admission.${name}.size`,
      field: `${AT}.${name}.size`,
      put: (size) => withWaiting(name, { size }),
      least: 1,
      most: MOST_WAITING,
      tooLittle: `must be at least 1; leave ${name} out for no waiting`,
    }),
  ),
];
