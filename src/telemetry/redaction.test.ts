import fc from "fast-check";
import { expect, test } from "vitest";
import { redactFields, redactText } from "./redaction.ts";

test.for([
  { text: "/ws?token=abc", want: "/ws?token=[redacted]" },
  { text: "/ws?a=1&access_token=abc.def-g&b=2", want: "/ws?a=1&access_token=[redacted]&b=2" },
  { text: "/ws?API_KEY=abc#x", want: "/ws?API_KEY=[redacted]#x" },
  { text: 'target "/ws?jwt=abc" is bad', want: 'target "/ws?jwt=[redacted]" is bad' },
  { text: "/ws?room=7&tokens=3", want: "/ws?room=7&tokens=3" },
  { text: "nothing to hide", want: "nothing to hide" },
])("$text is logged as $want", ({ text, want }) => {
  expect(redactText(text)).toBe(want);
});

test("headers with secrets are hidden wherever they stand, in any case", () => {
  expect(
    redactFields({
      Authorization: "Bearer x",
      headers: { cookie: "sid=1", host: "a" },
      pairs: [
        ["Cookie", "sid=1"],
        ["Host", "a"],
      ],
      request: { deep: { authorization: "x" } },
    }),
  ).toEqual({
    Authorization: "[redacted]",
    headers: { cookie: "[redacted]", host: "a" },
    pairs: [
      ["Cookie", "[redacted]"],
      ["Host", "a"],
    ],
    request: { deep: { authorization: "[redacted]" } },
  });
});

test("the object of the caller is never changed, and copied only when something is hidden", () => {
  const clean = { a: 1, b: { c: ["d"] } };
  expect(redactFields(clean)).toBe(clean);
  const dirty = { b: { cookie: "x" } };
  redactFields(dirty);
  expect(dirty).toEqual({ b: { cookie: "x" } });
});

test("an undefined secret stays undefined, and errors stay errors", () => {
  const err = new Error("x");
  expect(redactFields({ token: undefined, err })).toEqual({ token: undefined, err });
});

test("only own fields count, in an object that has no prototype as well", () => {
  const bare = Object.assign(Object.create(null) as Record<string, unknown>, { token: "x", a: "1" });
  expect({ ...redactFields(bare) }).toEqual({ token: "[redacted]", a: "1" });
  const clean = { a: "1" };
  Object.defineProperty(Object.prototype, "cookie", { value: "x", enumerable: true, configurable: true });
  let redacted: unknown;
  try {
    redacted = redactFields(clean);
  } finally {
    Reflect.deleteProperty(Object.prototype, "cookie");
  }
  expect(redacted).toBe(clean);
});

/** The same without any short cut: every name is put into lower case, every text is searched. */
function plainly(value: unknown, depth = 4): unknown {
  const names = "authorization proxy-authorization cookie set-cookie sec-websocket-protocol x-api-key".split(" ");
  const isSecret = (name: string): boolean => [...names, "password", "secret", "token"].includes(name.toLowerCase());
  if (typeof value === "string") {
    const parameters =
      /([?&;](?:[\w.-]*token|jwt|auth|authorization|api[_-]?key|key|password|passwd|secret|signature|sig|ticket|code|session(?:id)?|sid)=)[^&;#\s"']*/gi;
    return value.replace(parameters, "$1[redacted]");
  }
  if (typeof value !== "object" || value === null || depth === 0) return value;
  if (Array.isArray(value)) {
    const [name, text] = value as unknown[];
    const isPair = value.length === 2 && typeof name === "string" && typeof text === "string";
    if (isPair && isSecret(name)) return [name, "[redacted]"];
    return value.map((item) => plainly(item, depth - 1));
  }
  const fields = Object.entries(value).map(([name, field]) => {
    return [name, isSecret(name) && field !== undefined ? "[redacted]" : plainly(field, depth - 1)];
  });
  return Object.fromEntries(fields) as unknown;
}

// The Kelvin sign is a k in lower case, the dotted capital I an i with a dot of its own.
const LOOKALIKES: Readonly<Record<string, string>> = { k: "\u{212A}", i: "\u{130}" };
const disguise = (name: string): fc.Arbitrary<string> => {
  const forms = name.split("").map((letter) => [letter, letter.toUpperCase(), LOOKALIKES[letter] ?? letter]);
  return fc.tuple(...forms.map((form) => fc.constantFrom(...form))).map((letters) => letters.join(""));
};
const anyName = fc.oneof(
  fc
    .constantFrom("authorization", "proxy-authorization", "cookie", "set-cookie", "sec-websocket-protocol", "x-api-key")
    .chain(disguise),
  fc.constantFrom("password", "secret", "token", "tokens", "key", "client", "").chain(disguise),
  fc.string(),
);
const anyText = fc.oneof(
  fc.string(),
  fc
    .array(fc.constantFrom("/ws", "?", "&", ";", "=", "token", "Key", "a", "x.access_token", "jwt", "#", " ", '"'))
    .map((parts) => parts.join("")),
);
const { line } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: "small" }, anyText, fc.constantFrom(1, true, null, undefined), tie("list"), tie("line")),
  list: fc.oneof(fc.tuple(anyName, anyText), fc.array(tie("value"), { maxLength: 3 })),
  line: fc.dictionary(anyName, tie("value"), { maxKeys: 4, noNullPrototype: true }),
}));

test("what is hidden is what a plain search of every name and text would hide", () => {
  fc.assert(
    fc.property(line, (fields) => {
      const before = structuredClone(fields);
      expect(redactFields(fields as Record<string, unknown>)).toStrictEqual(plainly(fields));
      expect(fields).toEqual(before);
    }),
    { numRuns: 2_000 },
  );
});
