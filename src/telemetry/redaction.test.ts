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
