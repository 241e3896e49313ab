import { accepts, acceptsEach, cel, type RouteCase, refuses, refusesEach, shape, withRule } from "./build.ts";

const AT = "spec.rules[0].affinity.cookie";
const TOKEN = "must be letters, digits and any of -!#$%&'*+.^_`|~";
const PATH = "must begin with / and hold visible ASCII characters without ';'";
const NONE_IS_SECURE = "browsers keep a cookie with SameSite=None only if it is secure: set secure: true";
const NAME_IS_SECURE = "browsers keep a cookie whose name begins so only if it is secure: set secure: true";
const HOST_IS_SECURE = "browsers keep a cookie whose name begins with __Host- only with secure: true and path: /";

const withCookie = (cookie: object) => withRule({ affinity: { cookie } });
const named = (name: string) => withCookie({ name });

/** `ttl` stands with the other durations. */
export const AFFINITY_CASES: readonly RouteCase[] = [
  accepts("an empty cookie of affinity", withCookie({})),
  accepts(
    "everything of affinity at once",
    withCookie({ name: "stick", ttl: "720h", path: "/chat", sameSite: "None", secure: true }),
  ),
  refuses("an affinity by nothing", withRule({ affinity: {} }), shape("spec.rules[0].affinity.cookie", "is required")),
  ...acceptsEach(["a", "holdfast", "-!#$%&'*+.^_`|~09azAZ", "a".repeat(64)], "the cookie", named),
  ...refusesEach(
    ["a b", "a=b", "a;b", "a\n", "b\u00e5", '"a"', "a,b"],
    "the cookie",
    named,
    shape(`${AT}.name`, TOKEN),
  ),
  refuses("a cookie without a name", named(""), shape(`${AT}.name`, "must have at least 1 character")),
  refuses("a cookie of a long name", named("a".repeat(65)), shape(`${AT}.name`, "must have at most 64 characters")),
  ...acceptsEach(["/", "/chat", "/chat/", "/a%20b,c=~", `/${"a".repeat(255)}`], "the cookie's path", (path) =>
    withCookie({ path }),
  ),
  ...refusesEach(
    ["", "chat", "/a;b", "/a b", "/a\n", "/caf\u00e9"],
    "the cookie's path",
    (path) => withCookie({ path }),
    shape(`${AT}.path`, PATH),
  ),
  refuses(
    "a long path of a cookie",
    withCookie({ path: `/${"a".repeat(256)}` }),
    shape(`${AT}.path`, "must have at most 256 characters"),
  ),
  ...acceptsEach(["Lax", "Strict"], "the cookie's sameSite", (sameSite) => withCookie({ sameSite })),
  accepts("SameSite=None of a secure cookie", withCookie({ sameSite: "None", secure: true })),
  refuses("SameSite=None of another", withCookie({ sameSite: "None" }), cel(`${AT}.sameSite`, NONE_IS_SECURE)),
  ...refusesEach(
    ["lax", "none", ""],
    "the cookie's sameSite",
    (sameSite) => withCookie({ sameSite }),
    shape(`${AT}.sameSite`, 'must be "Lax" or "Strict" or "None"'),
  ),
  refuses(
    "a text for secure",
    withCookie({ secure: "true" }),
    shape(`${AT}.secure`, "must be true or false, not a text"),
  ),
  ...["__Secure-a", "__secure-a", "__Http-a"].flatMap((name) => [
    accepts(`the name ${name} of a secure cookie`, withCookie({ name, secure: true, path: "/chat" })),
    refuses(`the name ${name} of another`, named(name), cel(`${AT}.name`, NAME_IS_SECURE)),
  ]),
  ...["__Host-a", "__HOST-a"].flatMap((name) => [
    accepts(`the name ${name} of a secure cookie for all paths`, withCookie({ name, secure: true })),
    refuses(`the name ${name} of one that is not secure`, named(name), cel(`${AT}.name`, HOST_IS_SECURE)),
    refuses(
      `the name ${name} of one for some paths`,
      withCookie({ name, secure: true, path: "/chat" }),
      cel(`${AT}.name`, HOST_IS_SECURE),
    ),
  ]),
  accepts("a name that has a prefix of browsers inside", named("a__Host-__Secure-")),
];
