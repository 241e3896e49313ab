import fc from "fast-check";
import { expect, test } from "vitest";
import { type DocumentText, splitDocuments } from "./documents.ts";

test.for<{ name: string; stream: string; want: DocumentText[] }>([
  { name: "nothing is no document", stream: "", want: [] },
  { name: "comments are no document", stream: "# a\n\n  # b\n", want: [] },
  { name: "text without a marker is one", stream: "a: 1\nb: 2\n", want: [{ text: "a: 1\nb: 2\n", line: 1 }] },
  {
    name: "a marker parts two, and belongs to the second",
    stream: "a: 1\n---\nb: 2\n",
    want: [
      { text: "a: 1\n", line: 1 },
      { text: "---\nb: 2\n", line: 2 },
    ],
  },
  { name: "a marker may come first", stream: "# x\n---\na: 1\n", want: [{ text: "# x\n---\na: 1\n", line: 1 }] },
  {
    name: "a marker may have the document on its line",
    stream: "--- {a: 1}\n---\t{b: 2}\n",
    want: [
      { text: "--- {a: 1}\n", line: 1 },
      { text: "---\t{b: 2}\n", line: 2 },
    ],
  },
  { name: "three dashes with text behind them are text", stream: "---a: 1\n", want: [{ text: "---a: 1\n", line: 1 }] },
  {
    name: "three dashes that are indented are text",
    stream: "a: |\n  ---\n",
    want: [{ text: "a: |\n  ---\n", line: 1 }],
  },
  {
    name: "a marker in column 0 is one even in a block of text",
    stream: "a: |\n x\n---\nb: 2\n",
    want: [
      { text: "a: |\n x\n", line: 1 },
      { text: "---\nb: 2\n", line: 3 },
    ],
  },
  {
    name: "dots end a document, and directives begin the next",
    stream: "a: 1\n...\n# next\n%YAML 1.2\n---\nb: 2\n",
    want: [
      { text: "a: 1\n", line: 1 },
      { text: "# next\n%YAML 1.2\n---\nb: 2\n", line: 3 },
    ],
  },
  { name: "dots and nothing else are no document", stream: "...\n...\n", want: [] },
  { name: "a percent sign inside a document is text", stream: "a:\n%b\n", want: [{ text: "a:\n%b\n", line: 1 }] },
  {
    name: "directives without a document are kept as a fault",
    stream: "%YAML 1.2\n",
    want: [{ text: "%YAML 1.2\n", line: 1 }],
  },
  {
    name: "lines may end as in Windows",
    stream: "a: 1\r\n---\r\nb: 2\r\n",
    want: [
      { text: "a: 1\r\n", line: 1 },
      { text: "---\r\nb: 2\r\n", line: 2 },
    ],
  },
  {
    name: "a byte order mark is no part of a document, at the beginning or where files were joined",
    stream: "\uFEFFa: 1\n\uFEFF---\nb: 2\n",
    want: [
      { text: "a: 1\n", line: 1 },
      { text: "---\nb: 2\n", line: 2 },
    ],
  },
  {
    name: "the last marker needs no end of line",
    stream: "a: 1\n---",
    want: [
      { text: "a: 1\n", line: 1 },
      { text: "---", line: 2 },
    ],
  },
  {
    name: "a line separator of Unicode ends no line",
    stream: 'a: "x\u2028---\u2028y"\n',
    want: [{ text: 'a: "x\u2028---\u2028y"\n', line: 1 }],
  },
])("$name", ({ stream, want }) => {
  expect(splitDocuments(stream)).toEqual(want);
});

test("every document stands where its line says, and no text of one is lost", () => {
  const line = fc.constantFrom("a: 1", "---", "--- b", "...", "# c", "%YAML 1.2", "", "  ---", "d");
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const documents = splitDocuments(lines.join("\n"));
      for (const { text, line: first } of documents) {
        const count = text.replace(/\n$/, "").split("\n").length;
        expect(lines.slice(first - 1, first - 1 + count).join("\n")).toBe(text.replace(/\n$/, ""));
      }
      const kept = documents.map(({ text }) => text).join("\n");
      for (const wanted of lines.filter((one) => one === "a: 1" || one === "d")) expect(kept).toContain(wanted);
    }),
  );
});
