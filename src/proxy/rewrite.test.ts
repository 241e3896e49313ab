import { expect, test } from "vitest";
import { rewritePath } from "./rewrite.ts";

const prefix = (value: string) => ({ type: "PathPrefix", value }) as const;

test.for([
  { name: "a prefix is taken off below a segment", path: "/wsapp/x", matched: "/wsapp", value: "/", want: "/x" },
  { name: "a prefix alone becomes the root", path: "/wsapp", matched: "/wsapp", value: "/", want: "/" },
  { name: "a prefix with a slash becomes the root", path: "/wsapp/", matched: "/wsapp", value: "/", want: "/" },
  { name: "a prefix is replaced by another", path: "/foo/bar", matched: "/foo", value: "/xyz", want: "/xyz/bar" },
  {
    name: "a slash behind the replacement is not doubled",
    path: "/foo/bar",
    matched: "/foo",
    value: "/xyz/",
    want: "/xyz/bar",
  },
  { name: "a prefix alone becomes the replacement", path: "/foo", matched: "/foo", value: "/xyz", want: "/xyz" },
  { name: "a trailing slash stays", path: "/foo/", matched: "/foo", value: "/xyz", want: "/xyz/" },
  { name: "an empty replacement takes the prefix off", path: "/foo/bar", matched: "/foo", value: "", want: "/bar" },
  { name: "an empty replacement of all is the root", path: "/foo", matched: "/foo", value: "", want: "/" },
  { name: "under the root everything is moved below", path: "/x", matched: "/", value: "/foo", want: "/foo/x" },
  { name: "the root under the root keeps its slash", path: "/", matched: "/", value: "/foo", want: "/foo/" },
  { name: "the root by the root changes nothing", path: "/a/b", matched: "/", value: "/", want: "/a/b" },
  {
    name: "double slashes behind the prefix stay",
    path: "/foo//bar/",
    matched: "/foo",
    value: "/xyz",
    want: "/xyz//bar/",
  },
  { name: "escapes behind the prefix stay", path: "/foo/%41", matched: "/foo", value: "/", want: "/%41" },
])("$name", ({ path, matched, value, want }) => {
  const rewrite = { path: { type: "ReplacePrefixMatch", value }, host: undefined } as const;
  expect(rewritePath(path, prefix(matched), rewrite)).toBe(want);
});

test("a full path replaces whatever was there", () => {
  const rewrite = { path: { type: "ReplaceFullPath", value: "/socket" }, host: undefined } as const;
  expect(rewritePath("/foo/bar", prefix("/foo"), rewrite)).toBe("/socket");
  expect(rewritePath("/foo", { type: "Exact", value: "/foo" }, rewrite)).toBe("/socket");
});

test("without a rewrite of the path it stays as it is", () => {
  expect(rewritePath("/foo//bar", prefix("/foo"), undefined)).toBe("/foo//bar");
  expect(rewritePath("/foo//bar", prefix("/foo"), { path: undefined, host: "b.example" })).toBe("/foo//bar");
});
