import {
  accepts,
  acceptsEach,
  cel,
  type RouteCase,
  refuses,
  refusesEach,
  shape,
  type WantedIssue,
  withRule,
} from "./build.ts";

const DURATION = "must be a duration: one to four whole numbers with h, m, s or ms (500ms, 10s, 1h30m)";
const ZEROS = ["0s", "0ms", "0h0m0s"];
/** All from 1 s to 1 min, so that they are for every field. */
const SPELLINGS = ["5000ms", "10s", "0m59s", "0h1m", "00010s", "0h0m1s500ms"];
const NO_SPELLINGS = ["10", "s", "1.5s", "-1s", "1d", "10 s", "1S", "123456s", "1h1m1s1ms1h", "10s\n"];

interface DurationPlace {
  /** Below the rule: `timeouts.idle`. */
  readonly name: string;
  /** A rule that has it and what it needs beside it; needs no saying where the name has two parts. */
  readonly rule?: (value: unknown) => object;
  readonly shortest: readonly string[];
  readonly tooShort: readonly string[];
  readonly tooShortMessage: string;
  /** What else is wrong with what is too short. */
  readonly tooShortBeside?: WantedIssue;
  readonly longest: string;
  readonly tooLong: readonly string[];
  readonly tooLongMessage: string;
}

const SWITCH = { shortest: [...ZEROS, "1ms"], tooShort: [], tooShortMessage: "" };
const POSITIVE = {
  shortest: ["1ms"],
  tooShort: ZEROS,
  tooShortMessage: "must be longer than 0s: it cannot be switched off",
};
const A_SECOND = {
  shortest: ["1s", "1000ms"],
  tooShort: ["0s", "1ms", "999ms"],
  tooShortMessage: "must be at least 1s",
};

const MINUTE = { longest: "1m", tooLong: ["61s", "1m1ms"], tooLongMessage: "must be at most 1m" };
const HOUR = { longest: "1h", tooLong: ["61m", "1h1ms"], tooLongMessage: "must be at most 1h" };
const DAY = { longest: "24h", tooLong: ["25h", "24h1ms"], tooLongMessage: "must be at most 24h" };
const DAYS_24 = {
  longest: "576h",
  tooLong: ["577h", "575h60m1ms", "99999h99999h99999h99999h"],
  tooLongMessage: "must be at most 576h",
};
const SWITCH_TO_DAYS_24 = { ...SWITCH, ...DAYS_24, tooLongMessage: "must be at most 576h (24 days)" };
const DAYS_400 = { longest: "9600h", tooLong: ["9600h1ms"], tooLongMessage: "must be at most 9600h" };

const PLACES: readonly DurationPlace[] = [
  { name: "timeouts.handshake", ...POSITIVE, ...HOUR },
  { name: "timeouts.responseHeaders", ...POSITIVE, ...DAYS_24 },
  { name: "timeouts.request", ...SWITCH_TO_DAYS_24 },
  { name: "timeouts.idle", ...SWITCH_TO_DAYS_24 },
  { name: "keepalive.ping", ...SWITCH_TO_DAYS_24 },
  { name: "keepalive.timeout", ...POSITIVE, ...DAYS_24 },
  { name: "keepalive.backendPing", ...SWITCH_TO_DAYS_24 },
  { name: "drain.within", ...POSITIVE, ...DAYS_24 },
  { name: "lifetime.max", ...POSITIVE, ...DAYS_24 },
  { name: "loadBalancing.slowStart", ...SWITCH_TO_DAYS_24 },
  { name: "affinity.cookie.ttl", rule: (ttl) => ({ affinity: { cookie: { ttl } } }), ...POSITIVE, ...DAYS_400 },
  {
    name: "health.passive.ejectFor",
    rule: (ejectFor) => ({ health: { passive: { ejectFor, ejectForAtMost: "24h" } } }),
    ...POSITIVE,
    ...HOUR,
  },
  {
    name: "health.passive.ejectForAtMost",
    rule: (ejectForAtMost) => ({ health: { passive: { ejectFor: "1ms", ejectForAtMost } } }),
    ...POSITIVE,
    tooShortBeside: cel(
      "spec.rules[0].health.passive.ejectFor",
      "must not be longer than ejectForAtMost, which is 30s where it is not set",
    ),
    ...DAY,
  },
  {
    name: "health.active.interval",
    rule: (interval) => ({ health: { active: { type: "TCP", interval } } }),
    ...A_SECOND,
    ...HOUR,
  },
  {
    name: "health.active.timeout",
    rule: (timeout) => ({ health: { active: { type: "TCP", timeout } } }),
    ...POSITIVE,
    ...MINUTE,
  },
  {
    name: "admission.queue.timeout",
    rule: (timeout) => ({ admission: { maxTunnels: 1, queue: { timeout } } }),
    ...POSITIVE,
    ...MINUTE,
  },
  {
    name: "admission.holdUntilReady.timeout",
    rule: (timeout) => ({ admission: { holdUntilReady: { timeout } } }),
    ...POSITIVE,
    ...HOUR,
  },
];

/** Two names say where it stands. */
function inPlace(name: string, value: unknown): object {
  const [parent = "", child = ""] = name.split(".");
  return { [parent]: { [child]: value } };
}

function casesOf(place: DurationPlace): readonly RouteCase[] {
  const { name, shortest, tooShort, tooShortMessage, tooShortBeside, longest, tooLong, tooLongMessage } = place;
  const field = `spec.rules[0].${name}`;
  const { rule = (value) => inPlace(name, value) } = place;
  const put = (value: unknown) => withRule({ ...rule(value) });
  const tooShortIssues = [...(tooShortBeside ? [tooShortBeside] : []), cel(field, tooShortMessage)];
  return [
    ...acceptsEach([...shortest, ...SPELLINGS, longest], name, put),
    ...refusesEach(NO_SPELLINGS, name, put, shape(field, DURATION)),
    ...refusesEach(tooShort, name, put, ...tooShortIssues),
    ...refusesEach(tooLong, name, put, cel(field, tooLongMessage)),
    refuses(`${name} as a number`, put(10), shape(field, "must be a text, not a number")),
  ];
}

const jitter = (jitterPercent: unknown) => withRule({ lifetime: { max: "1h", jitterPercent } });

export const TIME_CASES: readonly RouteCase[] = [
  ...PLACES.flatMap(casesOf),
  accepts("a rule without timeouts", withRule({})),
  accepts("empty timeouts", withRule({ timeouts: {} })),
  accepts("an empty keepalive", withRule({ keepalive: {} })),
  accepts("a lifetime without jitter", jitter(0)),
  accepts("a lifetime with all of it jitter", jitter(100)),
  refuses("a negative jitter", jitter(-1), shape("spec.rules[0].lifetime.jitterPercent", "must be at least 0")),
  refuses(
    "a jitter beyond 100 percent",
    jitter(101),
    shape("spec.rules[0].lifetime.jitterPercent", "must be at most 100"),
  ),
  refuses(
    "a lifetime without an end",
    withRule({ lifetime: { jitterPercent: 10 } }),
    shape("spec.rules[0].lifetime.max", "is required"),
  ),
];
