import { describe, expect, test } from "vitest";
import { parseDocument } from "./parse-document.ts";

const MiB = 1024 * 1024;

/** What keeps a parser busy for a minute, or takes a gigabyte, must not keep the control thread from everything else. */
test.for([
  { name: "brackets inside brackets", text: "[".repeat(MiB), message: /nested too deep/ },
  { name: "maps inside maps", text: "{a: ".repeat(MiB / 4), message: /nested too deep/ },
  { name: "lists inside lists on one line", text: `${"- ".repeat(MiB / 2)}a`, message: /nested too deep/ },
  { name: "millions of items", text: `[${"a,".repeat(3 * MiB)}a]`, message: /too much for one YAML document/ },
  { name: "millions of lines", text: "- a\n".repeat(MiB), message: /too much for one YAML document/ },
  {
    name: "tens of thousands of aliases",
    text: `a: &a x\nb:\n${"- *a\n".repeat(50_000)}`,
    message: /too many aliases/,
  },
  {
    name: "aliases of aliases",
    text: "a: &a [x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]\n",
    message: /alias/,
  },
  { name: "an alias that leads into itself", text: "a: &a [*a]\n", message: /alias leads into itself/ },
])("$name are refused within a second", ({ text, message }) => {
  const startedMs = performance.now();
  expect(parseDocument(text)).toMatchObject({ ok: false, message: expect.stringMatching(message) });
  expect(performance.now() - startedMs).toBeLessThan(1000);
});

test("a map of 50,000 keys takes seconds at most, and a key that comes twice is found with its line", () => {
  const keys = Array.from({ length: 50_000 }, (_, i) => `key-${i}: x`).join("\n");
  expect(parseDocument(keys)).toMatchObject({ ok: true });
  expect(parseDocument(`${keys}\nkey-7: y\n`)).toMatchObject({ ok: false, line: 50_000, message: /unique/ });
});

test("a list of 3,000 routes in one YAML document is read", () => {
  const routes = Array.from(
    { length: 3000 },
    (_, i) =>
      `- apiVersion: holdfast.dev/v1alpha1\n  kind: WebSocketRoute\n  metadata:\n    name: r-${i}\n  spec:\n    rules:\n    - name: app\n      matches:\n      - path:\n          type: PathPrefix\n          value: /\n      backendRefs:\n      - name: chat\n        port: 80\n`,
  );
  expect(parseDocument(`kind: List\nitems:\n${routes.join("")}`)).toMatchObject({ ok: true });
});

test("a JSON text may hold a very long string", () => {
  const value = { data: { archive: `${"A".repeat(20 * MiB)}\\"` } };
  expect(parseDocument(JSON.stringify(value))).toMatchObject({ ok: true, value });
});

describe("what JSON cannot say is refused", () => {
  test.for([
    "!!binary aGVsbG8=",
    "!!timestamp 2001-01-01",
    "!!set {x, y}",
    "!!omap [x: 1]",
    "!!js/function f",
    "!mine x",
  ])("%s", (value) => {
    expect(parseDocument(`a: ${value}\n`)).toMatchObject({ ok: false, message: expect.stringContaining("tag") });
  });
});

test.for(["__proto__", "constructor", "hasOwnProperty"])("%s is a key like any other", (key) => {
  for (const text of [`${key}: {polluted: 1}\n`, `{"${key}": {"polluted": 1}}`]) {
    const parsed = parseDocument(text);
    expect(parsed.ok && Object.keys(parsed.value as object)).toEqual([key]);
  }
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
});
