import { accepts, acceptsEach, many, type RouteCase, refuses, refusesEach, shape, twice, withSpec } from "./build.ts";

const MESSAGE = "must be a lower-case DNS name, or one behind '*.', and neither an IP address nor with a port";
const LABEL_63 = "a".repeat(63);
const hostname = (name: string) => withSpec({ hostnames: [name] });

export const HOSTNAME_CASES: readonly RouteCase[] = [
  accepts("a route without hostnames", withSpec({})),
  accepts("an empty list of hostnames", withSpec({ hostnames: [] })),
  accepts("an exact name beside a wildcard", withSpec({ hostnames: ["chat.example.com", "*.chat.example.com"] })),
  accepts("16 hostnames", withSpec({ hostnames: many(16, (i) => `h${i}.example`) })),
  ...acceptsEach(
    [
      "localhost",
      "*.localhost",
      "1.example",
      "a--b.example",
      "xn--bcher-kva.example",
      "1.2.3.4.example",
      `${LABEL_63}.example`,
      `${`${LABEL_63}.`.repeat(3)}${"a".repeat(61)}`,
    ],
    "the hostname",
    hostname,
  ),
  ...refusesEach(
    [
      "Chat.example.com",
      "10.0.0.1",
      "1.2.3",
      "2130706433",
      "0x7f.0x1",
      "::1",
      "[::1]",
      "chat.example.com:8020",
      "chat.example.com.",
      ".example.com",
      "chat..example.com",
      "-chat.example.com",
      "chat-.example.com",
      "chat_room.example.com",
      "*",
      "*.",
      "*chat.example.com",
      "chat.*.example.com",
      "*.*.example.com",
      "bücher.example",
      "chat.example.com\n",
      "chat example.com",
      `${LABEL_63}a.example`,
    ],
    "the hostname",
    hostname,
    shape("spec.hostnames[0]", MESSAGE),
  ),
  refuses("an empty hostname", hostname(""), shape("spec.hostnames[0]", "must have at least 1 character")),
  refuses(
    "a hostname of 254 characters",
    hostname(`${`${LABEL_63}.`.repeat(3)}${"a".repeat(62)}`),
    shape("spec.hostnames[0]", "must have at most 253 characters"),
  ),
  refuses(
    "a hostname listed twice",
    withSpec({ hostnames: ["a.example", "b.example", "a.example"] }),
    twice("spec.hostnames[2]"),
  ),
  refuses(
    "17 hostnames",
    withSpec({ hostnames: many(17, (i) => `h${i}.example`) }),
    shape("spec.hostnames", "must have at most 16 items"),
  ),
  refuses(
    "hostnames that are no list",
    withSpec({ hostnames: "a.example" }),
    shape("spec.hostnames", "must be a list, not a text"),
  ),
  refuses(
    "a hostname that is no text",
    withSpec({ hostnames: [1] }),
    shape("spec.hostnames[0]", "must be a text, not a number"),
  ),
];

export const CLASS_CASES: readonly RouteCase[] = [
  ...acceptsEach(["holdfast", "holdfast.internal", "h1"], "the class", (name) => withSpec({ ingressClassName: name })),
  ...refusesEach(
    ["Holdfast", "hold_fast", "-holdfast", "holdfast.", "hold fast"],
    "the class",
    (name) => withSpec({ ingressClassName: name }),
    shape(
      "spec.ingressClassName",
      "must be lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit",
    ),
  ),
];
