import { describe, expect, test } from "vitest";
import { nominatedNames } from "./field-names.ts";
import { isFieldValue, isToken, listElements, namesToken } from "./field-syntax.ts";
import { framingFault, readFields } from "./request-fields.ts";
import type { HeaderPair } from "./types.ts";

test.for([
  { name: "a name is a token", text: "Sec-WebSocket-Key", want: true },
  { name: "every odd token character is one", text: "!#$%&'*+-.^_`|~09azAZ", want: true },
  { name: "nothing is no token", text: "", want: false },
  { name: "a space is none", text: "a b", want: false },
  { name: "a colon is none", text: "a:", want: false },
  { name: "a line feed is none", text: "a\n", want: false },
  { name: "a byte above ASCII is none", text: "\xe9", want: false },
])("$name", ({ text, want }) => {
  expect(isToken(text)).toBe(want);
});

test.for([
  { name: "text with spaces, tabs and latin1 is a value", text: "a b\tc\xe9", want: true },
  { name: "nothing is a value", text: "", want: true },
  { name: "a carriage return is in none", text: "a\rb", want: false },
  { name: "a line feed is in none", text: "a\nb", want: false },
  { name: "a NUL is in none", text: "a\0b", want: false },
  { name: "a DEL is in none", text: "a\x7fb", want: false },
  { name: "a character beyond one byte is in none, its low byte may be a line feed", text: "\u010a", want: false },
])("$name", ({ text, want }) => {
  expect(isFieldValue(text)).toBe(want);
});

test.for([
  { name: "elements come from all lines in order", values: ["a, b", "c"], want: ["a", "b", "c"] },
  { name: "empty elements are left out", values: ["", " , ,a,,", "\t"], want: ["a"] },
  { name: "a comma in quotes does not part", values: ['a; x="1,2", b'], want: ['a; x="1,2"', "b"] },
  { name: "an escaped quote does not end the quotes", values: ['a; x="\\",", b'], want: ['a; x="\\","', "b"] },
  { name: "open quotes go to the end", values: ['a, "b, c'], want: ["a", '"b, c'] },
  { name: "only spaces and tabs are trimmed", values: ["\xa0a\xa0"], want: ["\xa0a\xa0"] },
])("$name", ({ values, want }) => {
  expect(listElements(values)).toEqual(want);
});

test.for([
  { name: "a token is found in any spelling and place", values: ["keep-alive, UpGrade"], want: true },
  { name: "a token is found on a later line", values: ["keep-alive", "upgrade"], want: true },
  { name: "part of a token is not it", values: ["upgrade-insecure-requests, xupgrade"], want: false },
  { name: "a token with a version is another", values: ["upgrade/1"], want: false },
  { name: "a no-break space is no space", values: ["\xa0upgrade"], want: false },
])("$name", ({ values, want }) => {
  expect(namesToken(values, "upgrade")).toBe(want);
});

describe("names that Connection nominates", () => {
  test.for([
    { name: "keep-alive alone nominates nothing new", connection: ["keep-alive"], want: [] },
    { name: "no Connection, no names", connection: [], want: [] },
    {
      name: "every option is a name, in lower case",
      connection: ["X-Hop, close", "Other"],
      want: ["x-hop", "close", "other"],
    },
    {
      name: "what a message is framed and found by stays",
      connection: ["Host, Content-Length, Sec-WebSocket-Key"],
      want: [],
    },
    { name: "who a client is stays", connection: ["Cookie, Authorization, Origin"], want: [] },
  ])("$name", ({ connection, want }) => {
    expect([...nominatedNames(connection)]).toEqual(want);
  });
});

describe("framing that two readers could take differently", () => {
  const fault = (httpVersion: string, ...headers: HeaderPair[]) => {
    const read = readFields(headers);
    return read.ok ? framingFault(read.fields, httpVersion) : read.detail;
  };
  test.for<{ name: string; headers: HeaderPair[]; version?: string }>([
    {
      name: "Content-Length beside Transfer-Encoding",
      headers: [
        ["Content-Length", "5"],
        ["Transfer-Encoding", "chunked"],
      ],
    },
    {
      name: "Content-Length beside Transfer-Encoding, the other way round",
      headers: [
        ["transfer-encoding", "chunked"],
        ["content-length", "0"],
      ],
    },
    {
      name: "two different Content-Lengths",
      headers: [
        ["Content-Length", "5"],
        ["Content-Length", "6"],
      ],
    },
    {
      name: "two equal Content-Lengths",
      headers: [
        ["Content-Length", "5"],
        ["Content-Length", "5"],
      ],
    },
    { name: "a list of Content-Lengths", headers: [["Content-Length", "5, 5"]] },
    { name: "a signed Content-Length", headers: [["Content-Length", "+5"]] },
    { name: "a negative Content-Length", headers: [["Content-Length", "-1"]] },
    { name: "a hexadecimal Content-Length", headers: [["Content-Length", "0x10"]] },
    { name: "an empty Content-Length", headers: [["Content-Length", ""]] },
    { name: "a Content-Length beyond exact numbers", headers: [["Content-Length", "9".repeat(20)]] },
    { name: "another transfer coding", headers: [["Transfer-Encoding", "gzip, chunked"]] },
    {
      name: "chunked twice",
      headers: [
        ["Transfer-Encoding", "chunked"],
        ["Transfer-Encoding", "chunked"],
      ],
    },
    { name: "chunked spelt with a vertical tab", headers: [["Transfer-Encoding", "\x0bchunked"]] },
    { name: "chunked behind a no-break space", headers: [["Transfer-Encoding", "\xa0chunked"]] },
    { name: "identity", headers: [["Transfer-Encoding", "identity"]] },
    { name: "an empty Transfer-Encoding", headers: [["Transfer-Encoding", ""]] },
    { name: "Transfer-Encoding in HTTP/1.0", headers: [["Transfer-Encoding", "chunked"]], version: "1.0" },
    { name: "a space before the colon", headers: [["Content-Length ", "5"]] },
    { name: "a folded value", headers: [["X-A", "a\r\n b"]] },
    { name: "a second header inside a value", headers: [["X-A", "a\r\nTransfer-Encoding: chunked"]] },
    { name: "a NUL in a value", headers: [["X-A", "a\0"]] },
    { name: "a header without a name", headers: [["", "a"]] },
  ])("$name is found", ({ headers, version = "1.1" }) => {
    expect(fault(version, ...headers)).toMatch(/^[ -~]{10,}$/);
  });

  test.for<{ name: string; headers: HeaderPair[] }>([
    { name: "no body at all", headers: [] },
    { name: "one Content-Length", headers: [["content-length", "0"]] },
    { name: "chunked in any spelling", headers: [["Transfer-Encoding", "Chunked"]] },
  ])("$name is sound", ({ headers }) => {
    expect(fault("1.1", ...headers)).toBeUndefined();
  });
});
