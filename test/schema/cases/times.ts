import { accepts, acceptsEach, cel, type RouteCase, refuses, refusesEach, shape, withRule } from "./build.ts";

const DURATION = "must be a duration: one to four whole numbers with h, m, s or ms (500ms, 10s, 1h30m)";
const NOT_ZERO = "must be longer than 0s: it cannot be switched off";
const ZEROS = ["0s", "0ms", "0h0m0s"];

interface DurationPlace {
  readonly name: string;
  readonly isSwitch: boolean;
  readonly longest: string;
  readonly tooLong: readonly string[];
  readonly message: string;
}

const DAYS_24 = { longest: "576h", tooLong: ["577h", "575h60m1ms", "99999h99999h99999h99999h"] };
const PLACES: readonly DurationPlace[] = [
  {
    name: "timeouts.handshake",
    isSwitch: false,
    longest: "1h",
    tooLong: ["61m", "1h1ms"],
    message: "must be at most 1h",
  },
  { name: "timeouts.responseHeaders", isSwitch: false, ...DAYS_24, message: "must be at most 576h" },
  { name: "timeouts.request", isSwitch: true, ...DAYS_24, message: "must be at most 576h (24 days)" },
  { name: "timeouts.idle", isSwitch: true, ...DAYS_24, message: "must be at most 576h (24 days)" },
  { name: "keepalive.ping", isSwitch: true, ...DAYS_24, message: "must be at most 576h (24 days)" },
  { name: "keepalive.timeout", isSwitch: false, ...DAYS_24, message: "must be at most 576h" },
  { name: "keepalive.backendPing", isSwitch: true, ...DAYS_24, message: "must be at most 576h (24 days)" },
  { name: "drain.within", isSwitch: false, ...DAYS_24, message: "must be at most 576h" },
  { name: "lifetime.max", isSwitch: false, ...DAYS_24, message: "must be at most 576h" },
];

function casesOf({ name, isSwitch, longest, tooLong, message }: DurationPlace): readonly RouteCase[] {
  const [parent = "", child = ""] = name.split(".");
  const field = `spec.rules[0].${name}`;
  const put = (value: string) => withRule({ [parent]: { [child]: value } });
  return [
    ...acceptsEach(["1ms", "500ms", "10s", "1m30s", "0h1m", "00010s", longest], name, put),
    ...refusesEach(
      ["10", "s", "1.5s", "-1s", "1d", "10 s", "1S", "123456s", "1h1m1s1ms1h", "10s\n"],
      name,
      put,
      shape(field, DURATION),
    ),
    ...refusesEach(tooLong, name, put, cel(field, message)),
    ...(isSwitch ? acceptsEach(ZEROS, name, put) : refusesEach(ZEROS, name, put, cel(field, NOT_ZERO))),
    refuses(
      `${name} as a number`,
      withRule({ [parent]: { [child]: 10 } }),
      shape(field, "must be a text, not a number"),
    ),
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
