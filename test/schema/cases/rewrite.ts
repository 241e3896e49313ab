import { accepts, acceptsEach, cel, type RouteCase, refuses, refusesEach, shape, withRule } from "./build.ts";

const AT = "spec.rules[0].rewrite";
const NEEDS_PREFIX =
  "ReplacePrefixMatch needs PathPrefix in every match of the rule; use ReplaceFullPath, or two rules";
const HOST = "must be a lower-case DNS name, with or without a port from 1 to 65535, and not an IP address";
const prefixRewrite = { path: { type: "ReplacePrefixMatch", value: "/" } };
const prefix = { path: { type: "PathPrefix", value: "/wsapp" } };
const exact = { path: { type: "Exact", value: "/wsapp" } };

export const REWRITE_CASES: readonly RouteCase[] = [
  accepts("ReplacePrefixMatch with the match of a rule that names none", withRule({ rewrite: prefixRewrite })),
  accepts("ReplacePrefixMatch with a match that names no path", withRule({ rewrite: prefixRewrite, matches: [{}] })),
  accepts("ReplacePrefixMatch with prefixes", withRule({ rewrite: prefixRewrite, matches: [prefix, prefix] })),
  refuses(
    "ReplacePrefixMatch with an exact path",
    withRule({ rewrite: prefixRewrite, matches: [exact] }),
    cel(`${AT}.path.type`, NEEDS_PREFIX),
  ),
  refuses(
    "ReplacePrefixMatch with one exact path among prefixes",
    withRule({ rewrite: prefixRewrite, matches: [prefix, exact] }),
    cel(`${AT}.path.type`, NEEDS_PREFIX),
  ),
  accepts(
    "ReplaceFullPath with an exact path",
    withRule({ rewrite: { path: { type: "ReplaceFullPath", value: "/live" } }, matches: [exact] }),
  ),
  accepts("a host and no path with an exact path", withRule({ rewrite: { host: "chat.internal" }, matches: [exact] })),
  refuses(
    "a rewrite that says nothing",
    withRule({ rewrite: {} }),
    cel(AT, "must say path or host; leave rewrite out to change nothing"),
  ),
  refuses(
    "a rewrite without a type",
    withRule({ rewrite: { path: { value: "/live" } } }),
    shape(`${AT}.path.type`, "is required"),
  ),
  refuses(
    "a rewrite of an unknown type",
    withRule({ rewrite: { path: { type: "Replace", value: "/live" } } }),
    shape(`${AT}.path.type`, 'must be "ReplaceFullPath" or "ReplacePrefixMatch"'),
  ),
  refuses(
    "a rewrite without a value",
    withRule({ rewrite: { path: { type: "ReplaceFullPath" } } }),
    shape(`${AT}.path.value`, "is required"),
  ),
  ...acceptsEach(["chat", "chat.internal", "chat.internal:80", "a:1", "a:65535"], "the new host", (host) =>
    withRule({ rewrite: { host } }),
  ),
  ...refusesEach(
    [
      "*.chat.internal",
      "Chat.internal",
      "10.0.0.1",
      "[::1]:80",
      "a:0",
      "a:080",
      "a:65536",
      "a:",
      "http://a",
      "a/b",
      "a\r\nb",
    ],
    "the new host",
    (host) => withRule({ rewrite: { host } }),
    shape(`${AT}.host`, HOST),
  ),
];
