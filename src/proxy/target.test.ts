import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTarget } from "./target.ts";

const at = (target: string, ...hosts: string[]) => parseTarget(target, hosts.length === 0 ? ["a.example"] : hosts);

describe("a valid target", () => {
  test.for([
    { name: "a path", target: "/chat", path: "/chat", query: "", search: "" },
    { name: "the root", target: "/", path: "/", query: "", search: "" },
    {
      name: "a query is split off at the first question mark",
      target: "/a?b=c?d",
      path: "/a",
      query: "b=c?d",
      search: "?b=c?d",
    },
    { name: "an empty query keeps its question mark", target: "/a?", path: "/a", query: "", search: "?" },
    { name: "double slashes are not merged", target: "//a///b//", path: "//a///b//", query: "", search: "" },
    {
      name: "a host-like double slash is a path",
      target: "//evil.example/x",
      path: "//evil.example/x",
      query: "",
      search: "",
    },
    { name: "escapes stay as they are", target: "/%41%20%e2%82%AC", path: "/%41%20%e2%82%AC", query: "", search: "" },
    { name: "three dots are a name", target: "/.../a", path: "/.../a", query: "", search: "" },
    { name: "a leading dot is a name", target: "/.well-known/x", path: "/.well-known/x", query: "", search: "" },
    { name: "a trailing dot is a name", target: "/a./b", path: "/a./b", query: "", search: "" },
    { name: "dots inside a segment are a name", target: "/a..b/..c", path: "/a..b/..c", query: "", search: "" },
    { name: "path parameters stay", target: "/a;v=1/b;..", path: "/a;v=1/b;..", query: "", search: "" },
    {
      name: "an escaped percent is decoded once only",
      target: "/%252e%252e/x",
      path: "/%252e%252e/x",
      query: "",
      search: "",
    },
    {
      name: "a query may hold slashes, dots and stray percents",
      target: "/a?x=../..%2f\\%",
      path: "/a",
      query: "x=../..%2f\\%",
      search: "?x=../..%2f\\%",
    },
    {
      name: "a colon in the first segment is a path",
      target: "/http://b.example/",
      path: "/http://b.example/",
      query: "",
      search: "",
    },
  ])("$name", ({ target, path, query, search }) => {
    expect(at(target)).toMatchObject({ ok: true, host: "a.example", authority: "a.example", path, query, search });
  });

  test.for([
    {
      name: "an absolute URL is read as its path",
      target: "http://a.example/x?y",
      host: "a.example",
      path: "/x",
      search: "?y",
    },
    { name: "the scheme may be in capitals", target: "HTTP://a.example/x", host: "a.example", path: "/x", search: "" },
    {
      name: "https comes from a proxy that ends TLS",
      target: "https://a.example/x",
      host: "a.example",
      path: "/x",
      search: "",
    },
    {
      name: "an absolute URL without a path means /",
      target: "http://a.example",
      host: "a.example",
      path: "/",
      search: "",
    },
    {
      name: "an absolute URL with only a query means /",
      target: "http://a.example?q",
      host: "a.example",
      path: "/",
      search: "?q",
    },
    { name: "hosts are compared in any case", target: "http://A.Example/x", host: "a.eXample", path: "/x", search: "" },
    {
      name: "the default port equals none in Host",
      target: "http://a.example:80/x",
      host: "a.example",
      path: "/x",
      search: "",
    },
    {
      name: "no port equals the default port in Host",
      target: "https://a.example/x",
      host: "a.example:443",
      path: "/x",
      search: "",
    },
  ])("$name", ({ target, host, path, search }) => {
    expect(at(target, host)).toMatchObject({ ok: true, host: "a.example", authority: host, path, search });
  });
});

describe("a refused target", () => {
  test.for([
    { name: "the asterisk", target: "*" },
    { name: "an authority, as CONNECT has it", target: "a.example:443" },
    { name: "nothing at all", target: "" },
    { name: "a relative path", target: "chat" },
    { name: "another scheme", target: "ftp://a.example/x" },
    { name: "a scheme without slashes", target: "http:/a.example/x" },
    { name: "a WebSocket URL", target: "ws://a.example/x" },
    { name: "a leading space", target: " /x" },
    { name: "a hash in the query", target: "/x?a#b" },
    { name: "a space in the query", target: "/x?a b" },
    { name: "a line feed in the query", target: "/x?a\nb" },
    { name: "a raw accent in the query", target: "/x?a=é" },
  ])("$name is HF_BAD_TARGET", ({ target }) => {
    expect(at(target)).toMatchObject({ ok: false, code: "HF_BAD_TARGET" });
  });

  test.for([
    { name: "a dot segment", target: "/a/./b" },
    { name: "a dot-dot segment", target: "/a/../b" },
    { name: "a dot-dot segment at the start", target: "/../b" },
    { name: "a dot-dot segment at the end", target: "/a/.." },
    { name: "a dot segment at the end", target: "/a/." },
    { name: "a dot-dot segment before the query", target: "/a/..?x" },
    { name: "an escaped dot segment", target: "/a/%2e/b" },
    { name: "an escaped dot-dot segment", target: "/a/%2e%2E/b" },
    { name: "a half escaped dot-dot segment", target: "/a/.%2e/b" },
    { name: "another half escaped dot-dot segment", target: "/a/%2E./b" },
    { name: "a dot-dot segment before an escaped slash", target: "/a/..%2fb" },
    { name: "a dot-dot segment with a path parameter", target: "/a/..;/b" },
    { name: "a dot-dot segment with an escaped semicolon", target: "/a/..%3bx/b" },
    { name: "a dot-dot segment between double slashes", target: "/a//..//b" },
    { name: "an escaped slash", target: "/a%2fb" },
    { name: "an escaped slash in capitals", target: "/a%2Fb" },
    { name: "an escaped backslash", target: "/a%5cb" },
    { name: "an escaped backslash in capitals", target: "/a%5Cb" },
    { name: "an escaped NUL", target: "/a%00b" },
    { name: "a backslash", target: "/a\\b" },
    { name: "a backslashed dot-dot", target: "/a\\..\\b" },
    { name: "a NUL", target: "/a\0b" },
    { name: "a tab", target: "/a\tb" },
    { name: "a carriage return", target: "/a\rb" },
    { name: "a line feed", target: "/a\nb" },
    { name: "a DEL", target: "/a\x7fb" },
    { name: "a space", target: "/a b" },
    { name: "a raw byte above ASCII", target: "/\xe9" },
    { name: "a character above latin1 whose low byte is a dot", target: "/a/\u012e\u012e/b" },
    { name: "a hash", target: "/a#b" },
    { name: "a lone percent at the end", target: "/a%" },
    { name: "half an escape at the end", target: "/a%4" },
    { name: "an escape with a wrong digit", target: "/a%4gb" },
    { name: "an escape with a sign", target: "/a%+1" },
    { name: "a percent that an escape would finish", target: "/%%41" },
    { name: "a hash behind the authority of a URL", target: "http://a.example#x" },
  ])("$name in the path is HF_BAD_PATH", ({ target }) => {
    expect(at(target)).toMatchObject({ ok: false, code: "HF_BAD_PATH" });
  });
});

describe("the Host header", () => {
  test.for([
    { name: "a name", host: "Chat.Example.com", want: "chat.example.com" },
    { name: "a name with a port", host: "chat.example.com:8020", want: "chat.example.com" },
    { name: "a trailing dot is not matched on", host: "chat.example.com.:80", want: "chat.example.com" },
    { name: "a name without dots", host: "localhost:8020", want: "localhost" },
    { name: "an underscore, as Compose names have", host: "my_app", want: "my_app" },
    { name: "an IPv4 address", host: "127.0.0.1:8020", want: "127.0.0.1" },
    { name: "an IPv6 address", host: "[::1]", want: "[::1]" },
    { name: "an IPv6 address with a port", host: "[2001:DB8::1]:8020", want: "[2001:db8::1]" },
    { name: "the greatest port", host: "a:65535", want: "a" },
  ])("may be $name", ({ host, want }) => {
    expect(at("/", host)).toMatchObject({ ok: true, host: want, authority: host });
  });

  test.for([
    { name: "missing", hosts: [] },
    { name: "there twice", hosts: ["a.example", "b.example"] },
    { name: "there twice with the same value", hosts: ["a.example", "a.example"] },
    { name: "empty", hosts: [""] },
    { name: "a dot", hosts: ["."] },
    { name: "a list", hosts: ["a.example,b.example"] },
    { name: "two names with a space between", hosts: ["a.example b.example"] },
    { name: "padded", hosts: [" a.example"] },
    { name: "with user information", hosts: ["user@a.example"] },
    { name: "with user and password", hosts: ["user:80@a.example"] },
    { name: "with a path", hosts: ["a.example/x"] },
    { name: "with a query", hosts: ["a.example?x"] },
    { name: "with a hash", hosts: ["a.example#x"] },
    { name: "with a backslash", hosts: ["a.example\\x"] },
    { name: "with an escape", hosts: ["a%2eexample"] },
    { name: "a wildcard", hosts: ["*.example"] },
    { name: "the wildcard of every host", hosts: ["*"] },
    { name: "with an empty label", hosts: ["a..example"] },
    { name: "with a leading dot", hosts: [".example"] },
    { name: "with two trailing dots", hosts: ["a.example.."] },
    { name: "with an empty port", hosts: ["a.example:"] },
    { name: "with a port that is no number", hosts: ["a.example:http"] },
    { name: "with a signed port", hosts: ["a.example:+80"] },
    { name: "with port 0", hosts: ["a.example:0"] },
    { name: "with a leading zero in the port", hosts: ["a.example:080"] },
    { name: "with a port beyond 65535", hosts: ["a.example:65536"] },
    { name: "with two ports", hosts: ["a.example:80:80"] },
    { name: "only a port", hosts: [":80"] },
    { name: "an IPv6 address without brackets", hosts: ["::1"] },
    { name: "an open bracket", hosts: ["[::1"] },
    { name: "a bracketed name", hosts: ["[a.example]"] },
    { name: "an IPv6 address with a zone", hosts: ["[fe80::1%25eth0]"] },
    { name: "an IPv6 address with text behind it", hosts: ["[::1]x"] },
    { name: "a future address", hosts: ["[v1.fe80]"] },
    { name: "beyond ASCII", hosts: ["é.example"] },
    { name: "a Kelvin sign for a k", hosts: ["\u212a.example"] },
    { name: "with a NUL", hosts: ["a.example\0"] },
    { name: "longer than a DNS name can be", hosts: [`${"a".repeat(256)}`] },
  ])("is HF_BAD_HOST when $name", ({ hosts }) => {
    expect(parseTarget("/", hosts)).toMatchObject({ ok: false, code: "HF_BAD_HOST" });
  });

  test.for([
    { name: "another host in the target", target: "http://b.example/", host: "a.example" },
    { name: "another port in the target", target: "http://a.example:81/", host: "a.example:82" },
    { name: "a port in the target only", target: "http://a.example:81/", host: "a.example" },
    { name: "the default port of the other scheme", target: "https://a.example:80/", host: "a.example" },
    { name: "user information in the target", target: "http://user@a.example/", host: "a.example" },
    { name: "no authority in the target", target: "http:///x", host: "a.example" },
    { name: "a backslash for a slash in the target", target: "http://a.example\\@b.example/", host: "a.example" },
  ])("is HF_BAD_HOST with $name", ({ target, host }) => {
    expect(at(target, host)).toMatchObject({ ok: false, code: "HF_BAD_HOST" });
  });
});

/** Dot segments of a path resolved as RFC 3986 5.2.4 does it, on segments. */
function normalise(path: string): string {
  const out: string[] = [];
  const segments = path.split("/").slice(1);
  segments.forEach((segment, i) => {
    const isLast = i === segments.length - 1;
    if (segment === "..") out.pop();
    if (segment !== "." && segment !== "..") out.push(segment);
    else if (isLast) out.push("");
  });
  return `/${out.join("/")}`;
}

const decode = (path: string) =>
  path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
const cutParameters = (path: string) => path.replaceAll(/;[^/]*/g, "");
const slashes = (path: string) => path.replaceAll("\\", "/");

const awkwardPath = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "/",
        "/",
        ".",
        "..",
        "%2e",
        "%2E",
        "%2f",
        "%5c",
        "\\",
        "%",
        "%25",
        "%00",
        ";",
        "%3b",
        "//",
        "a",
        "é",
        "#",
        " ",
      ),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => `/${parts.join("")}`);

describe("whatever a client sends", () => {
  test("a path that passes has one reading: decoding, cutting and normalising agree in any order", () => {
    let passed = 0;
    fc.assert(
      fc.property(awkwardPath, (target) => {
        const parsed = at(target);
        if (!parsed.ok) return;
        passed += 1;
        const { path } = parsed;
        expect(path + parsed.search).toBe(target);
        expect(normalise(path)).toBe(path);
        const decoded = decode(path);
        expect(normalise(decoded)).toBe(decoded);
        expect(slashes(decoded)).toBe(decoded);
        expect(decoded.split("/")).toHaveLength(path.split("/").length);
        for (const cut of [cutParameters(path), cutParameters(decoded), decode(cutParameters(path))]) {
          expect(normalise(cut)).toBe(cut);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(passed).toBeGreaterThan(100);
  });

  test("any target and any Host get an answer", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.array(fc.string({ unit: "binary" }), { maxLength: 2 }),
        (target, hosts) => {
          const parsed = parseTarget(target, hosts);
          if (parsed.ok) expect(parsed.path + parsed.search).toMatch(/^\/[!-~]*$/);
          else expect(parsed.detail).toMatch(/^[ -~]+$/);
        },
      ),
    );
  });

  test("a host that passes is lower case and of host characters only", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9.:_~*@[\]%-]{1,20}$/), (host) => {
        const parsed = parseTarget("/", [host]);
        if (parsed.ok) expect(parsed.host).toMatch(/^([a-z0-9_~-]+(\.[a-z0-9_~-]+)*|\[[0-9a-f:.]+\])$/);
      }),
    );
  });
});
