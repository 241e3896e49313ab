import { expect, test } from "vitest";
import { formatRequestHead } from "./request-head.ts";
import type { OutgoingHead } from "./types.ts";

const HEAD: OutgoingHead = { method: "GET", target: "/chat", headers: [["Host", "a.example"]] };

test("a head goes over the wire as it is, a byte per character, repeated headers in their order", () => {
  const headers = [...HEAD.headers, ["X-Two", "1"], ["x-two", ""], ["X-Name", "\xe9\t\xff"]] as const;
  const text = formatRequestHead({ method: "GET", target: "/ch\xe9t?a=%20#x", headers });
  expect(text).toBe(
    "GET /ch\xe9t?a=%20#x HTTP/1.1\r\nHost: a.example\r\nX-Two: 1\r\nx-two: \r\nX-Name: \xe9\t\xff\r\n\r\n",
  );
});

const header = (name: string, value: string): Partial<OutgoingHead> => ({ headers: [...HEAD.headers, [name, value]] });

test.for<{ name: string; change: Partial<OutgoingHead> }>([
  { name: "an empty method", change: { method: "" } },
  { name: "a method with a space", change: { method: "GET /x" } },
  { name: "a method with a line end", change: { method: "GET\r\nX:" } },
  { name: "an empty target", change: { target: "" } },
  { name: "a target with a space", change: { target: "/a HTTP/1.1" } },
  { name: "a target with CR", change: { target: "/a\r" } },
  { name: "a target with LF at its end", change: { target: "/a\n" } },
  { name: "a target with NUL", change: { target: "/\0" } },
  { name: "a target with DEL", change: { target: "/\x7f" } },
  { name: "a target of more than a byte per character", change: { target: "/\u{1f600}" } },
  { name: "a target whose character ends in a line end's byte", change: { target: "/\u010a" } },
  { name: "an empty name", change: header("", "x") },
  { name: "a name with a colon", change: header("X:", "x") },
  { name: "a name with a space", change: header("X ", "x") },
  { name: "a name with a line end", change: header("X\r\nY", "x") },
  { name: "a value with CR", change: header("X", "a\rb") },
  { name: "a value with LF", change: header("X", "a\nb") },
  { name: "a value with a header behind it", change: header("X", "a\r\nY: b") },
  { name: "a value with NUL", change: header("X", "a\0") },
  { name: "a value of more than a byte per character", change: header("X", "\u20ac") },
  { name: "a value whose character ends in a line end's byte", change: header("X", "\u010d\u010a") },
])("$name cannot be written", ({ change }) => {
  expect(() => formatRequestHead({ ...HEAD, ...change })).toThrow(TypeError);
});
