import { accepts, acceptsEach, cel, type RouteCase, refuses, refusesEach, shape, twice, withRule } from "./build.ts";
import { numberCases } from "./numbers.ts";

const AT = "spec.rules[0].health";
const SIGNS = ["DialFailure", "BadAnswer", "EarlyEnd"] as const;
const TYPES = ["TCP", "HTTP", "WebSocket"] as const;
const BEYOND = "must not be longer than ejectForAtMost, which is 30s where it is not set";
const PATH = "must begin with / and hold visible ASCII characters without '#'";
const HOST = "must be a lower-case DNS name, with or without a port from 1 to 65535, and not an IP address";

const withHealth = (health: object) => withRule({ health });
const withPassive = (passive: object) => withHealth({ passive });
const withActive = (active: object) => withHealth({ active });
const probing = (fields: object) => withActive({ type: "HTTP", ...fields });

const FOREIGN = [
  { name: "chat", port: 80 },
  { name: "chat", port: 80, namespace: "games" },
];
const PORT_CASES: readonly RouteCase[] = [
  accepts("another port for Services of its own namespace", probing({ port: 9000 })),
  accepts("a probe of the granted port", withRule({ backendRefs: FOREIGN, health: { active: { type: "TCP" } } })),
  refuses(
    "another port of Pods in another namespace",
    withRule({ backendRefs: FOREIGN, health: { active: { type: "TCP", port: 9000 } } }),
    cel(
      `${AT}.active.port`,
      "another port is for backendRefs of the route's own namespace: leave port out, or their namespace",
    ),
  ),
];

const PASSIVE_CASES: readonly RouteCase[] = [
  accepts("an empty passive health", withPassive({})),
  accepts("no sign at all", withPassive({ signs: [] })),
  accepts("every sign", withPassive({ signs: SIGNS })),
  ...acceptsEach(SIGNS, "the sign", (sign) => withPassive({ signs: [sign] })),
  ...refusesEach(
    ["dialFailure", "Timeout", ""],
    "the sign",
    (sign) => withPassive({ signs: [sign] }),
    shape(`${AT}.passive.signs[0]`, 'must be "DialFailure" or "BadAnswer" or "EarlyEnd"'),
  ),
  refuses(
    "a sign that is listed twice",
    withPassive({ signs: ["EarlyEnd", "EarlyEnd"] }),
    twice(`${AT}.passive.signs[1]`),
  ),
  refuses(
    "more signs than there are",
    withPassive({ signs: [...SIGNS, "EarlyEnd"] }),
    shape(`${AT}.passive.signs`, "must have at most 3 items"),
  ),
  ...numberCases({
    name: "health.passive.failures",
    field: `${AT}.passive.failures`,
    put: (failures) => withPassive({ failures }),
    least: 1,
    most: 1000,
  }),
  ...numberCases({
    name: "health.passive.maxEjectedPercent",
    field: `${AT}.passive.maxEjectedPercent`,
    put: (maxEjectedPercent) => withPassive({ maxEjectedPercent }),
    least: 0,
    most: 100,
  }),
  accepts("ejections that never double", withPassive({ ejectFor: "1m", ejectForAtMost: "60s" })),
  accepts("the longest ejection that needs no other end", withPassive({ ejectFor: "30s" })),
  refuses(
    "a first ejection beyond the usual end",
    withPassive({ ejectFor: "31s" }),
    cel(`${AT}.passive.ejectFor`, BEYOND),
  ),
  refuses(
    "a first ejection beyond the end that is set",
    withPassive({ ejectFor: "2s", ejectForAtMost: "1999ms" }),
    cel(`${AT}.passive.ejectFor`, BEYOND),
  ),
  refuses(
    "an end below the usual first ejection",
    withPassive({ ejectForAtMost: "1ms" }),
    cel(`${AT}.passive.ejectFor`, BEYOND),
  ),
];

const PROBE_CASES: readonly RouteCase[] = [
  ...acceptsEach(TYPES, "probes by", (type) => withActive({ type })),
  ...refusesEach(
    ["tcp", "GRPC", ""],
    "probes by",
    (type) => withActive({ type }),
    shape(`${AT}.active.type`, 'must be "TCP" or "HTTP" or "WebSocket"'),
  ),
  refuses("probes that are not said how", withActive({}), shape(`${AT}.active.type`, "is required")),
  accepts("a port of its own for TCP", withActive({ type: "TCP", port: 9000 })),
  ...(["HTTP", "WebSocket"] as const).map((type) =>
    accepts(
      `a path, a host and a port for ${type}`,
      withActive({ type, path: "/up?deep=1", host: "a.internal:80", port: 1 }),
    ),
  ),
  refuses(
    "a path for TCP",
    withActive({ type: "TCP", path: "/up" }),
    cel(`${AT}.active.path`, "TCP asks for no path: leave it out, or set type to HTTP or WebSocket"),
  ),
  refuses(
    "a host for TCP",
    withActive({ type: "TCP", host: "a.internal" }),
    cel(`${AT}.active.host`, "TCP names no host: leave it out, or set type to HTTP or WebSocket"),
  ),
  ...acceptsEach(["/", "/up", "/up?a=b&c=%20", `/${"a".repeat(1023)}`], "the probe's path", (path) =>
    probing({ path }),
  ),
  ...refusesEach(
    ["", "up", "/a b", "/a#b", "/a\r\nX: y", "/caf\u00e9", "http://a/"],
    "the probe's path",
    (path) => probing({ path }),
    shape(`${AT}.active.path`, PATH),
  ),
  refuses(
    "a long path of a probe",
    probing({ path: `/${"a".repeat(1024)}` }),
    shape(`${AT}.active.path`, "must have at most 1024 characters"),
  ),
  ...acceptsEach(["chat", "chat.internal", "chat.internal:8080"], "the probe's host", (host) => probing({ host })),
  ...refusesEach(
    ["Chat", "10.0.0.1", "[::1]", "a:0", "a:65536", "a b", "a/b", "a_b"],
    "the probe's host",
    (host) => probing({ host }),
    shape(`${AT}.active.host`, HOST),
  ),
  refuses(
    "an empty host of a probe",
    probing({ host: "" }),
    shape(`${AT}.active.host`, "must have at least 1 character"),
  ),
  ...(
    [
      ["port", 1, 65_535],
      ["unhealthyAfter", 1, 100],
      ["healthyAfter", 1, 100],
    ] as const
  ).flatMap(([name, least, most]) =>
    numberCases({
      name: `health.active.${name}`,
      field: `${AT}.active.${name}`,
      put: (value) => probing({ [name]: value }),
      least,
      most,
    }),
  ),
];

/** Durations stand with the others. */
export const HEALTH_CASES: readonly RouteCase[] = [
  accepts("an empty health", withHealth({})),
  ...numberCases({
    name: "health.panicPercent",
    field: `${AT}.panicPercent`,
    put: (panicPercent) => withHealth({ panicPercent }),
    least: 0,
    most: 100,
  }),
  ...PASSIVE_CASES,
  ...PROBE_CASES,
  ...PORT_CASES,
];
