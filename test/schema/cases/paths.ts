import {
  accepts,
  acceptsEach,
  cel,
  type RouteCase,
  refuses,
  refusesEach,
  shape,
  withMatch,
  withRule,
} from "./build.ts";

const CHARACTERS =
  "must begin with '/' and hold only characters of a URL's path; others as %XX of their UTF-8 bytes, without '?' and '#'";
const DOTS = "must not have '.' or '..' segments, also not encoded: write the path that is meant";
const ENCODED = "must not hold %2f, %5c or %00: requests with them are refused, so nothing would match";

const GOOD = [
  "/",
  "/chat",
  "/chat/",
  "/a//b",
  "/a.b/..c/...",
  "/.well-known",
  "/%20%C3%A4",
  "/a;v=1",
  "/@me:(x)!$&'*+,=~_-",
];
const NO_PATH = ["chat", "/a b", "/a?b", "/a#b", "/a\\b", "/ä", "/a\n", "/%", "/%2", "/%zz", "/a\0", "/<a>", '/"'];
const DOTTED = [
  "/.",
  "/..",
  "/a/./b",
  "/a/../b",
  "/a/..",
  "/%2e",
  "/%2E%2e/b",
  "/.%2e",
  "/a/%2e/",
  "/..;/b",
  "/a/.;x=1",
];
const ESCAPED = ["/a%2fb", "/a%2Fb", "/a%5cb", "/a%5C", "/%00"];

interface PathPlace {
  readonly what: string;
  readonly field: string;
  readonly put: (value: string) => Readonly<Record<string, unknown>>;
}

const PLACES: readonly PathPlace[] = [
  {
    what: "the prefix",
    field: "spec.rules[0].matches[0].path.value",
    put: (value) => withMatch({ path: { type: "PathPrefix", value } }),
  },
  {
    what: "the new path",
    field: "spec.rules[0].rewrite.path.value",
    put: (value) => withRule({ rewrite: { path: { type: "ReplaceFullPath", value } } }),
  },
];

export const PATH_CASES: readonly RouteCase[] = [
  ...PLACES.flatMap(({ what, field, put }) => [
    ...acceptsEach([...GOOD, `/${"a".repeat(1023)}`], what, put),
    ...refusesEach(NO_PATH, what, put, shape(field, CHARACTERS)),
    ...refusesEach(DOTTED, what, put, cel(field, DOTS)),
    ...refusesEach(ESCAPED, what, put, cel(field, ENCODED)),
    refuses(`${what} with both faults`, put("/..%2f/%2e"), cel(field, DOTS), cel(field, ENCODED)),
    refuses(
      `${what} of 1025 characters`,
      put(`/${"a".repeat(1024)}`),
      shape(field, "must have at most 1024 characters"),
    ),
  ]),
  accepts("an exact path", withMatch({ path: { type: "Exact", value: "/chat" } })),
  accepts("a path without a type", withMatch({ path: { value: "/chat" } })),
  accepts("a path without a value", withMatch({ path: { type: "Exact" } })),
  refuses(
    "a path by regular expression",
    withMatch({ path: { type: "RegularExpression", value: "/.*" } }),
    shape("spec.rules[0].matches[0].path.type", 'must be "Exact" or "PathPrefix"'),
  ),
];
