import fc from "fast-check";

/** Lines of a head: what a handshake has, and what is nearly that. */
export const headerLines = fc.oneof(
  fc
    .constantFrom(
      ...[
        ["upgrade", "keep-alive, Upgrade", "Upgrade, close", "upgrade ,x", "upgrade\t", "\tupgrade", "a,\tupgrade"],
        [",upgrade", "upgrade,", "up grade", "x upgrade", "upgrade x", "upgradex", '"upgrade"', '"x,upgrade"', ""],
        ["close", "a;b, upgrade", "upgrade\t,x", "@, upgrade", "upgrade\xa0", "close, keep-alive, upgrade"],
      ].flat(),
    )
    .map((value) => `Connection: ${value}`),
  fc.constantFrom("websocket", "WebSocket", "h2c, websocket", "websocket\t", "", "h2c").map((to) => `Upgrade:${to}`),
  fc.constantFrom(
    ...[
      ["Content-Length: 5", "Content-Length: x", "Content-Length: 0", "Content-Length:", "content-length: +5"],
      ["Content-Length: 5 5", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Transfer-Encoding:"],
      ["transfer-encoding: chunked, gzip", "Proxy-Connection: upgrade", "X: \t a \t", "X:", "X-\x80: 1", "X: \xff"],
      ["A B: c", "A : b", " folded", "\tfolded", ":x", "no colon", "X: a\0b", "X: a\rb", "X: a\nb", "__proto__: x"],
      ["Set-Cookie: a", "set-cookie: b", "Trailer: x", "Keep-Alive: x", "Sec-WebSocket-Accept: abc="],
    ].flat(),
  ),
  fc.tuple(fc.string({ minLength: 1, maxLength: 5 }), fc.string({ maxLength: 9 })).map((pair) => pair.join(":")),
);
/** What parsers stumble over. */
const bytes = fc.oneof(
  fc.constantFrom(...'\0\t\n\v\f\r ,:;\x7f\x80\xa0\xff01Aa@\\"'.split("")),
  fc.string({ minLength: 1, maxLength: 1 }),
);
/** One change to a text. */
export const mutations = fc.record({
  kind: fc.constantFrom("insert", "remove", "replace", "double", "cut"),
  at: fc.nat(400),
  byte: bytes,
});

export function mutate(text: string, { kind, at, byte }: { kind: string; at: number; byte: string }): string {
  const place = at % (text.length + 1);
  if (kind === "cut") return text.slice(0, place);
  const middle =
    { insert: byte, remove: "", replace: byte, double: text.slice(place, place + 1).repeat(2) }[kind] ?? "";
  return text.slice(0, place) + middle + text.slice(kind === "insert" ? place : place + 1);
}
