import { accepts, acceptsEach, cel, many, type RouteCase, refuses, refusesEach, shape, withRule } from "./build.ts";

const AT = "spec.rules[0].drain";
const MILLION = 1_000_000;
const CODES = "must be one of 1000, 1001, 1003, 1008, 1011, 1012, 1013, or 3000 to 4999";
const ASCII = "must be printable ASCII: letters, digits, punctuation and blanks";
const NONE_MORE = `must be at most ${MILLION}; leave the field out for no limit`;
const NONE_LESS = "must be at least 1; leave the field out for no limit";
const CAUSES = ["onBackendRemoval", "onUnready", "onZeroWeight"] as const;

const withDrain = (drain: object) => withRule({ drain });
const withCode = (code: unknown) => withDrain({ close: { code } });
const withReason = (reason: unknown) => withDrain({ close: { reason } });

const ALLOWED = [1000, 1001, 1003, 1008, 1011, 1012, 1013, 3000, 3999, 4000, 4999];
/** Neither of our own nor of an application: reserved, never sent, about the peer's frames, or of no meaning yet. */
const NOT_ALLOWED = [1002, 1004, 1005, 1006, 1007, 1009, 1010, 1014, 1015, 1016, 1999, 2000, 2999];
const NO_CODES = [-1, 0, 1, 999, 5000, 65_535, 2 ** 31, 2 ** 53];

const CODE_CASES: readonly RouteCase[] = [
  ...ALLOWED.map((code) => accepts(`the close code ${code}`, withCode(code))),
  ...NOT_ALLOWED.map((code) => refuses(`the close code ${code}`, withCode(code), cel(`${AT}.close.code`, CODES))),
  ...NO_CODES.map((code) => refuses(`the close code ${code}`, withCode(code), shape(`${AT}.close.code`, CODES))),
  refuses("half a close code", withCode(1012.5), shape(`${AT}.close.code`, "must be a whole number")),
  refuses("a close code as a text", withCode("1012"), shape(`${AT}.close.code`, "must be a number, not a text")),
];

/** Every character that may stand in one. */
const PRINTABLE = many(95, (index) => String.fromCharCode(32 + index)).join("");

const REASON_CASES: readonly RouteCase[] = [
  ...acceptsEach(["a", "moving on", PRINTABLE, "a".repeat(123)], "the close reason", withReason),
  ...refusesEach(
    ["caf\u00e9", "\u2026", "two\nlines", "over\n", "\t", "\u007f", "\u0000"],
    "the close reason",
    withReason,
    shape(`${AT}.close.reason`, ASCII),
  ),
  refuses(
    "a close reason that no control frame can carry",
    withReason("a".repeat(124)),
    shape(`${AT}.close.reason`, "must have at most 123 characters"),
  ),
  refuses("an empty close reason", withReason(""), shape(`${AT}.close.reason`, "must have at least 1 character")),
];

/** What may be said is read alike here and by an API server; `within` stands with the other durations. */
export const DRAIN_CASES: readonly RouteCase[] = [
  accepts("a rule without drain", withRule({})),
  accepts("an empty drain", withDrain({})),
  accepts("a drain with an empty close", withDrain({ close: {} })),
  accepts(
    "everything of a drain at once",
    withDrain({
      ...Object.fromEntries(CAUSES.map((cause) => [cause, "Close"])),
      within: "2m",
      perSecond: 50,
      close: { code: 4000, reason: "moving on" },
    }),
  ),
  ...CAUSES.flatMap((cause) => [
    ...acceptsEach(["Keep", "Close"], `drain.${cause}`, (value) => withDrain({ [cause]: value })),
    ...refusesEach(
      ["keep", "Drain", ""],
      `drain.${cause}`,
      (value) => withDrain({ [cause]: value }),
      shape(`${AT}.${cause}`, 'must be "Keep" or "Close"'),
    ),
  ]),
  accepts("a drain of 1 tunnel per second", withDrain({ perSecond: 1 })),
  accepts(`a drain of ${MILLION} tunnels per second`, withDrain({ perSecond: MILLION })),
  refuses("a drain of no tunnel per second", withDrain({ perSecond: 0 }), shape(`${AT}.perSecond`, NONE_LESS)),
  refuses("a drain of -1 tunnels per second", withDrain({ perSecond: -1 }), shape(`${AT}.perSecond`, NONE_LESS)),
  ...[MILLION + 1, 2 ** 53].map((perSecond) =>
    refuses(`a drain of ${perSecond} per second`, withDrain({ perSecond }), shape(`${AT}.perSecond`, NONE_MORE)),
  ),
  refuses(
    "half a tunnel per second",
    withDrain({ perSecond: 0.5 }),
    shape(`${AT}.perSecond`, "must be a whole number"),
  ),
  ...CODE_CASES,
  ...REASON_CASES,
];
