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
  withRule,
} from "./build.ts";

const UNTOUCHABLE =
  "may not be edited: Connection, Upgrade, Host, Content-Length, Transfer-Encoding, TE, Trailer, Keep-Alive, " +
  "Proxy-Connection, Forwarded, Via, Sec-WebSocket-*, X-Forwarded-* and holdfast-* are Holdfast's to write";
const TOKEN = "must be letters, digits and any of -!#$%&'*+.^_`|~";
const VISIBLE = "must be visible ASCII characters, with spaces only inside";
const ONCE = "must name each header once; upper and lower case are the same";

const FORBIDDEN = [
  "Connection",
  "upgrade",
  "HOST",
  "Content-Length",
  "transfer-encoding",
  "TE",
  "te",
  "Trailer",
  "Keep-Alive",
  "Proxy-Connection",
  "Sec-WebSocket-Protocol",
  "sec-websocket-key",
  "X-Forwarded-For",
  "x-forwarded-anything",
  "Forwarded",
  "via",
  "holdfast-error",
  "Holdfast-Reattach",
];
const ALLOWED = [
  "Cookie",
  "X-Tenant",
  "Hosts",
  "X-Host",
  "Viaduct",
  "Team",
  "Sec-Fetch-Mode",
  "X-Forwarded",
  "Authorization",
];

type EditList = "set" | "add" | "remove";

/** The three lists of the request's head or of the response's. */
function casesOf(head: "requestHeaders" | "responseHeaders"): readonly RouteCase[] {
  const at = `spec.rules[0].${head}`;
  const edits = (fields: object) => withRule({ [head]: fields });
  const item = (list: EditList, name: string) => (list === "remove" ? name : { name, value: "1" });
  const ofList = (list: EditList): readonly RouteCase[] => {
    const nameField = list === "remove" ? `${at}.remove[0]` : `${at}.${list}[0].name`;
    const put = (name: string) => edits({ [list]: [item(list, name)] });
    return [
      ...acceptsEach(ALLOWED, `${head}.${list} of`, put),
      ...refusesEach(FORBIDDEN, `${head}.${list} of`, put, cel(nameField, UNTOUCHABLE)),
      ...refusesEach(["X A", "X:", "X\r\n", "Ä"], `${head}.${list} of`, put, shape(nameField, TOKEN)),
      accepts(`16 headers to ${list} in ${head}`, edits({ [list]: many(16, (i) => item(list, `X-${i}`)) })),
      refuses(
        `17 headers to ${list} in ${head}`,
        edits({ [list]: many(17, (i) => item(list, `X-${i}`)) }),
        shape(`${at}.${list}`, "must have at most 16 items"),
      ),
    ];
  };
  const ofValue = (list: "set" | "add"): readonly RouteCase[] => {
    const put = (value: string) => edits({ [list]: [{ name: "X-A", value }] });
    return [
      ...acceptsEach(["1", "a b\tc", '"quoted"; q=0.5', "~".repeat(4096)], `${head}: the value to ${list}`, put),
      ...refusesEach(
        [" 1", "1\t", "a\r\nSet-Cookie: b", "a\nb", "\x01", "a\x7f", "ü", "\u{1f600}"],
        `${head}: the value to ${list}`,
        put,
        shape(`${at}.${list}[0].value`, VISIBLE),
      ),
      refuses(
        `${head}: a value of 4097 characters to ${list}`,
        put("a".repeat(4097)),
        shape(`${at}.${list}[0].value`, "must have at most 4096 characters"),
      ),
    ];
  };
  return [
    ...ofList("set"),
    ...ofList("add"),
    ...ofList("remove"),
    ...ofValue("set"),
    ...ofValue("add"),
    accepts(`${head} without edits`, edits({})),
    accepts(`${head} that adds one name twice`, edits({ add: [item("add", "Set-Cookie"), item("add", "Set-Cookie")] })),
    refuses(
      `${head} that sets one name twice`,
      edits({ set: [item("set", "X-A"), item("set", "X-A")] }),
      twice(`${at}.set[1]`),
      cel(`${at}.set`, ONCE),
    ),
    refuses(
      `${head} that sets one name twice in different case`,
      edits({ set: [item("set", "X-A"), item("set", "x-a")] }),
      cel(`${at}.set`, ONCE),
    ),
    refuses(`${head} that removes one name twice`, edits({ remove: ["X-A", "X-A"] }), twice(`${at}.remove[1]`)),
  ];
}

export const HEADER_CASES: readonly RouteCase[] = [...casesOf("requestHeaders"), ...casesOf("responseHeaders")];
