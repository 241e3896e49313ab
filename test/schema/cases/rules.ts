import {
  accepts,
  acceptsEach,
  cel,
  many,
  type RouteCase,
  refuses,
  refusesEach,
  shape,
  withRule,
  withSpec,
} from "./build.ts";

const AT = "spec.rules[0]";
const backendRefs = [{ name: "chat", port: 8010 }];
const named = (...names: readonly (string | undefined)[]) =>
  withSpec({ rules: names.map((name) => (name === undefined ? { backendRefs } : { name, backendRefs })) });
const withBackend = (fields: object) => withRule({ backendRefs: [{ name: "chat", port: 8010, ...fields }] });

const NAMES: readonly RouteCase[] = [
  ...acceptsEach(["a", "app", "app-2", "a".repeat(63)], "the rule name", (name) => named(name)),
  ...refusesEach(
    ["1", "2fast", "App", "app-", "-app", "app_2", "app.v2", "app\n"],
    "the rule name",
    (name) => named(name),
    shape(
      `${AT}.name`,
      "must be lower-case letters, digits and '-', begin with a letter and end with a letter or digit",
    ),
  ),
  refuses(
    "a rule name of 64 characters",
    named("a".repeat(64)),
    shape(`${AT}.name`, "must have at most 63 characters"),
  ),
  accepts("rules of which some have a name", named("app", undefined, "beta", undefined)),
  refuses(
    "two rules of one name",
    named("app", "beta", "app"),
    cel("spec.rules", "rule names must be unique within the route"),
  ),
  accepts("16 rules", named(...many(16, (i) => `r${i}`))),
  refuses("17 rules", named(...many(17, (i) => `r${i}`)), shape("spec.rules", "must have at most 16 items")),
  refuses("a route without rules", withSpec({ rules: [] }), shape("spec.rules", "must have at least 1 item")),
];

const BACKENDS: readonly RouteCase[] = [
  ...acceptsEach(["chat", "chat-2", "2chat", "a".repeat(63)], "the Service", (name) => withBackend({ name })),
  ...refusesEach(
    ["Chat", "chat.apps", "chat_2", "-chat", "chat-", "apps/chat"],
    "the Service",
    (name) => withBackend({ name }),
    shape(
      `${AT}.backendRefs[0].name`,
      "must be lower-case letters, digits and '-', and begin and end with a letter or digit",
    ),
  ),
  ...acceptsEach(["shared", "team-2", "2chat", "a".repeat(63)], "the backend's namespace", (namespace) =>
    withBackend({ namespace }),
  ),
  ...refusesEach(
    ["Shared", "a.b", "a/b", "*", "-a", "a-"],
    "the backend's namespace",
    (namespace) => withBackend({ namespace }),
    shape(
      `${AT}.backendRefs[0].namespace`,
      "must be lower-case letters, digits and '-', and begin and end with a letter or digit",
    ),
  ),
  refuses(
    "an empty namespace of a backend",
    withBackend({ namespace: "" }),
    shape(`${AT}.backendRefs[0].namespace`, "must have at least 1 character"),
  ),
  refuses(
    "a backend's namespace of 64 characters",
    withBackend({ namespace: "a".repeat(64) }),
    shape(`${AT}.backendRefs[0].namespace`, "must have at most 63 characters"),
  ),
  accepts("the highest port", withBackend({ port: 65_535 })),
  refuses("port 0", withBackend({ port: 0 }), shape(`${AT}.backendRefs[0].port`, "must be at least 1")),
  refuses("port 65536", withBackend({ port: 65_536 }), shape(`${AT}.backendRefs[0].port`, "must be at most 65535")),
  refuses("half a port", withBackend({ port: 80.5 }), shape(`${AT}.backendRefs[0].port`, "must be a whole number")),
  refuses(
    "a port by name",
    withBackend({ port: "ws" }),
    shape(`${AT}.backendRefs[0].port`, "must be a number, not a text"),
  ),
  refuses(
    "a backend without a port",
    withRule({ backendRefs: [{ name: "chat" }] }),
    shape(`${AT}.backendRefs[0].port`, "is required"),
  ),
  refuses(
    "a backend without a name",
    withRule({ backendRefs: [{ port: 80 }] }),
    shape(`${AT}.backendRefs[0].name`, "is required"),
  ),
  accepts("weights that are all 0", withBackend({ weight: 0 })),
  accepts("the greatest weight", withBackend({ weight: 1_000_000 })),
  refuses("a negative weight", withBackend({ weight: -1 }), shape(`${AT}.backendRefs[0].weight`, "must be at least 0")),
  refuses(
    "a weight beyond a million",
    withBackend({ weight: 1_000_001 }),
    shape(`${AT}.backendRefs[0].weight`, "must be at most 1000000"),
  ),
  accepts("16 backends, one Service more than once", withRule({ backendRefs: many(16, () => backendRefs[0]) })),
  refuses(
    "17 backends",
    withRule({ backendRefs: many(17, () => backendRefs[0]) }),
    shape(`${AT}.backendRefs`, "must have at most 16 items"),
  ),
  refuses(
    "an empty list of backends",
    withRule({ backendRefs: [] }),
    shape(`${AT}.backendRefs`, "must have at least 1 item"),
  ),
  refuses("a rule without backends", withSpec({ rules: [{ name: "app" }] }), shape(`${AT}.backendRefs`, "is required")),
];

const PLAIN: readonly RouteCase[] = [
  ...acceptsEach(["Forward", "Reject"], "plainHTTP", (plainHTTP) => withRule({ plainHTTP })),
  refuses(
    "plainHTTP in lower case",
    withRule({ plainHTTP: "reject" }),
    shape(`${AT}.plainHTTP`, 'must be "Forward" or "Reject"'),
  ),
];

export const RULE_CASES: readonly RouteCase[] = [...NAMES, ...BACKENDS, ...PLAIN];
