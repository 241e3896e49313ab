import { expect, test } from "vitest";
import {
  FlagValueError,
  parseByteQuantity,
  parseDuration,
  parseInteger,
  parseListenAddress,
  parsePath,
  parseTarget,
} from "./flag-values.ts";

test.for([
  { name: "seconds", text: "15s", want: 15_000 },
  { name: "milliseconds", text: "500ms", want: 500 },
  { name: "several units", text: "1m30s", want: 90_000 },
  { name: "minutes are not milliseconds", text: "2m5ms", want: 120_005 },
  { name: "hours", text: "1h", want: 3_600_000 },
  { name: "nothing", text: "0s", want: 0 },
])("a duration may be given in $name", ({ text, want }) => {
  expect(parseDuration(text)).toBe(want);
});

test.for(["", "15", "s", "-1s", "1.5s", "1 s", "1d", "10s ", "99999h"])("%j is no duration", (text) => {
  expect(() => parseDuration(text)).toThrow(FlagValueError);
});

test.for([
  { text: "127.0.0.1:8020", want: { host: "127.0.0.1", port: 8020 } },
  { text: "localhost:0", want: { host: "localhost", port: 0 } },
  { text: "[::1]:8020", want: { host: "::1", port: 8020 } },
  { text: ":8020", want: { host: undefined, port: 8020 } },
])("$text is where to listen", ({ text, want }) => {
  expect(parseListenAddress(text)).toEqual(want);
});

test.for([
  "8020",
  "127.0.0.1",
  "127.0.0.1:",
  "127.0.0.1:65536",
  "::1:80",
  "[::1]",
  "[zz]:80",
  "300.0.0.1:80",
  "a b:80",
  "a/b:1",
])("%j is refused as a place to listen, with the allowed forms", (text) => {
  expect(() => parseListenAddress(text)).toThrow(/Allowed are host:port, \[::1\]:port and :port/);
});

test.for([
  { text: "127.0.0.1:8010", want: { host: "127.0.0.1", port: 8010 } },
  { text: "[::1]:8010", want: { host: "::1", port: 8010 } },
  { text: "Chat.Example:80", want: { host: "chat.example", port: 80 } },
])("$text is a backend", ({ text, want }) => {
  expect(parseTarget(text)).toEqual(want);
});

test.for([":8010", "127.0.0.1:0", "localhost", "ws://localhost:1", "1.2.3:80"])("%j is no backend", (text) => {
  expect(() => parseTarget(text)).toThrow(/Allowed are address:port/);
});

test.for(["/", "/wsapp/", "/a/b.c"])("%j is a path", (text) => {
  expect(parsePath(text)).toBe(text);
});

test.for(["", "wsapp", "/a?b", "/a#b", "/../a", "/a/.", "/a%2fb", "/a\\b"])("%j is no path", (text) => {
  expect(() => parsePath(text)).toThrow(FlagValueError);
});

test.for(["", "1e3", "0x10", "-5", "4.5", "11"])("%j is no whole number from 0 to 10", (text) => {
  expect(() => parseInteger(text, 0, 10)).toThrow("Allowed are whole numbers from 0 to 10.");
});

test.for([
  { text: "4096", want: 4_096 },
  { text: "256Mi", want: 268_435_456 },
  { text: "1.5Gi", want: 1_610_612_736 },
  { text: "300M", want: 300_000_000 },
  { text: "2k", want: 2_000 },
  { text: "1Ki", want: 1_024 },
])("$text is a number of bytes", ({ text, want }) => {
  expect(parseByteQuantity(text, 1, 2 ** 40)).toBe(want);
});

test.for(["", "0", "Mi", "-1Mi", "1 Mi", "1MB", "1K", "1e6", "1m", ".5Gi", "2Ti", "1.5.5Gi"])(
  "%j is no number of bytes from 1 to 1Ti",
  (text) => {
    expect(() => parseByteQuantity(text, 1, 2 ** 40)).toThrow(
      "Allowed are bytes, or quantities such as 256Mi and 1.5Gi, from 1 to 1099511627776 bytes.",
    );
  },
);
