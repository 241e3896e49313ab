import { accepts, acceptsEach, cel, type RouteCase, refuses, refusesEach, shape, withRule } from "./build.ts";

const AT = "spec.rules[0].frames";
const TERABYTE = 2 ** 40;
const MILLION = 1_000_000;
const LIMITS = [
  { name: "maxMessageBytes", most: TERABYTE },
  { name: "maxFragments", most: MILLION },
  { name: "messagesPerSecond", most: MILLION },
  { name: "bytesPerSecond", most: TERABYTE },
  { name: "controlFramesPerSecond", most: MILLION },
] as const;
const NO_RATE =
  "Pause is about rates: set messagesPerSecond, bytesPerSecond or controlFramesPerSecond; a message above " +
  "maxMessageBytes or maxFragments always closes the tunnel";

const withFrames = (frames: object) => withRule({ frames });

function casesOf({ name, most }: (typeof LIMITS)[number]): readonly RouteCase[] {
  const field = `${AT}.${name}`;
  const tooMuch = shape(field, `must be at most ${most}; leave the field out for no limit`);
  const tooLittle = shape(field, "must be at least 1; leave the field out for no limit");
  return [
    accepts(`${name} of 1`, withFrames({ [name]: 1 })),
    accepts(`${name} of ${most}`, withFrames({ [name]: most })),
    refuses(`${name} of 0, which says neither all nor nothing`, withFrames({ [name]: 0 }), tooLittle),
    refuses(`${name} below 0`, withFrames({ [name]: -1 }), tooLittle),
    refuses(`${name} of ${most + 1}`, withFrames({ [name]: most + 1 }), tooMuch),
    refuses(`${name} beyond what a number can count`, withFrames({ [name]: 2 ** 53 }), tooMuch),
    refuses(`half of ${name}`, withFrames({ [name]: 1.5 }), shape(field, "must be a whole number")),
    refuses(`${name} with a unit`, withFrames({ [name]: "1Mi" }), shape(field, "must be a number, not a text")),
  ];
}

export const FRAME_CASES: readonly RouteCase[] = [
  accepts("empty frames", withFrames({})),
  accepts("every limit at once", withFrames(Object.fromEntries(LIMITS.map(({ name }) => [name, 100])))),
  ...LIMITS.flatMap(casesOf),
  ...acceptsEach(["Observe", "Enforce"], "frames.strictness", (strictness) => withFrames({ strictness })),
  ...refusesEach(
    ["observe", "Strict", ""],
    "frames.strictness",
    (strictness) => withFrames({ strictness }),
    shape(`${AT}.strictness`, 'must be "Observe" or "Enforce"'),
  ),
  ...refusesEach(
    ["pause", "Drop", ""],
    "frames.onLimit",
    (onLimit) => withFrames({ onLimit }),
    shape(`${AT}.onLimit`, 'must be "Pause" or "Close"'),
  ),
  accepts("onLimit Close without a limit", withFrames({ onLimit: "Close" })),
  ...acceptsEach(["messagesPerSecond", "bytesPerSecond", "controlFramesPerSecond"], "onLimit Pause with", (rate) =>
    withFrames({ onLimit: "Pause", [rate]: 10 }),
  ),
  refuses("onLimit Pause without a limit", withFrames({ onLimit: "Pause" }), cel(`${AT}.onLimit`, NO_RATE)),
  refuses(
    "onLimit Pause with limits of sizes only",
    withFrames({ onLimit: "Pause", maxMessageBytes: 100, maxFragments: 1 }),
    cel(`${AT}.onLimit`, NO_RATE),
  ),
];
