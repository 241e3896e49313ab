import {
  accepts,
  acceptsEach,
  cel,
  many,
  type RouteCase,
  refuses,
  refusesEach,
  shape,
  twice,
  withMatch,
  withRule,
} from "./build.ts";

const AT = "spec.rules[0].matches[0]";
const TOKEN = "must be letters, digits and any of -!#$%&'*+.^_`|~";
const VISIBLE = "must be visible ASCII characters, with spaces only inside";
const CONTROL = "must not hold control characters";

const HEADERS: readonly RouteCase[] = [
  accepts("a header match", withMatch({ headers: [{ name: "X-Tenant", value: "blue team" }] })),
  accepts("8 header matches", withMatch({ headers: many(8, (i) => ({ name: `X-${i}`, value: "1" })) })),
  refuses(
    "9 header matches",
    withMatch({ headers: many(9, (i) => ({ name: `X-${i}`, value: "1" })) }),
    shape(`${AT}.headers`, "must have at most 8 items"),
  ),
  refuses(
    "a header named twice in different case",
    withMatch({
      headers: [
        { name: "X-A", value: "1" },
        { name: "x-a", value: "2" },
      ],
    }),
    cel(`${AT}.headers`, "must name each header once; upper and lower case are the same"),
  ),
  refuses(
    "a header named twice",
    withMatch({
      headers: [
        { name: "X-A", value: "1" },
        { name: "X-A", value: "2" },
      ],
    }),
    twice(`${AT}.headers[1]`),
    cel(`${AT}.headers`, "must name each header once; upper and lower case are the same"),
  ),
  ...refusesEach(
    ["X A", "X:A", "Ünicode", "X\n", "(X)"],
    "the header name",
    (name) => withMatch({ headers: [{ name, value: "1" }] }),
    shape(`${AT}.headers[0].name`, TOKEN),
  ),
  ...refusesEach(
    [" a", "a ", "a\r\nHost: b", "a\0b", "a\x7f", "é"],
    "the header value",
    (value) => withMatch({ headers: [{ name: "X-A", value }] }),
    shape(`${AT}.headers[0].value`, VISIBLE),
  ),
  refuses(
    "a header match by regular expression",
    withMatch({ headers: [{ name: "X-A" }] }),
    shape(`${AT}.headers[0].value`, "is required"),
  ),
];

const QUERY: readonly RouteCase[] = [
  accepts("a query match", withMatch({ queryParams: [{ name: "version", value: "2" }] })),
  accepts("an empty query value", withMatch({ queryParams: [{ name: "debug", value: "" }] })),
  accepts("a query value that is not ASCII", withMatch({ queryParams: [{ name: "größe", value: "ä b" }] })),
  accepts(
    "query names that differ in case",
    withMatch({
      queryParams: [
        { name: "a", value: "1" },
        { name: "A", value: "2" },
      ],
    }),
  ),
  refuses(
    "a query parameter named twice",
    withMatch({
      queryParams: [
        { name: "a", value: "1" },
        { name: "a", value: "2" },
      ],
    }),
    twice(`${AT}.queryParams[1]`),
  ),
  refuses(
    "a control character in a query name",
    withMatch({ queryParams: [{ name: "a\n", value: "1" }] }),
    shape(`${AT}.queryParams[0].name`, CONTROL),
  ),
  refuses(
    "a control character in a query value",
    withMatch({ queryParams: [{ name: "a", value: "\0" }] }),
    shape(`${AT}.queryParams[0].value`, CONTROL),
  ),
  refuses(
    "9 query matches",
    withMatch({ queryParams: many(9, (i) => ({ name: `q${i}`, value: "1" })) }),
    shape(`${AT}.queryParams`, "must have at most 8 items"),
  ),
];

const SUBPROTOCOLS: readonly RouteCase[] = [
  ...acceptsEach(["graphql-transport-ws", "chat.v2", "v1.json+x"], "the subprotocol", (name) =>
    withMatch({ subprotocols: [name] }),
  ),
  ...refusesEach(
    ["chat v2", "a,b", "chat/2"],
    "the subprotocol",
    (name) => withMatch({ subprotocols: [name] }),
    shape(`${AT}.subprotocols[0]`, TOKEN),
  ),
  accepts("subprotocols that differ in case", withMatch({ subprotocols: ["chat", "Chat"] })),
  refuses("a subprotocol listed twice", withMatch({ subprotocols: ["chat", "chat"] }), twice(`${AT}.subprotocols[1]`)),
  refuses(
    "17 subprotocols",
    withMatch({ subprotocols: many(17, (i) => `p${i}`) }),
    shape(`${AT}.subprotocols`, "must have at most 16 items"),
  ),
];

const LISTS: readonly RouteCase[] = [
  accepts("a rule without matches", withRule({})),
  accepts("a match that says nothing", withMatch({})),
  accepts("8 matches", withRule({ matches: many(8, (i) => ({ path: { value: `/${i}` } })) })),
  refuses(
    "9 matches",
    withRule({ matches: many(9, (i) => ({ path: { value: `/${i}` } })) }),
    shape("spec.rules[0].matches", "must have at most 8 items"),
  ),
  refuses(
    "an empty list of matches",
    withRule({ matches: [] }),
    shape("spec.rules[0].matches", "must have at least 1 item"),
  ),
];

export const MATCH_CASES: readonly RouteCase[] = [...LISTS, ...HEADERS, ...QUERY, ...SUBPROTOCOLS];
