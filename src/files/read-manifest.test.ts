import { describe, expect, test } from "vitest";
import { type DocumentCache, type Finding, type Manifest, readManifest } from "./read-manifest.ts";

const NO_CACHE: DocumentCache = new Map();
const read = (text: string): Manifest => readManifest(text, NO_CACHE).manifest;
const config = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;

function findings(text: string): readonly Finding[] {
  const manifest = read(text);
  if (!manifest.ok) throw new Error(JSON.stringify(manifest.faults));
  return manifest.findings;
}
const names = (text: string): string[] =>
  findings(text).map((finding) =>
    finding.kind === "admitted" ? `${finding.line} ${finding.admitted.id}` : finding.kind,
  );

test.for<{ name: string; text: string; want: string[] }>([
  {
    name: "several documents",
    text: `${config("a")}---\n${config("b")}`,
    want: ["1 ConfigMap|default/a", "5 ConfigMap|default/b"],
  },
  {
    name: "comments and an empty document between them",
    text: `# head\n---\n---\n\n# a\n${config("a")}`,
    want: ["6 ConfigMap|default/a"],
  },
  { name: "directives", text: `%YAML 1.2\n---\n${config("a")}`, want: ["3 ConfigMap|default/a"] },
  { name: "Windows lines", text: config("a").replaceAll("\n", "\r\n"), want: ["1 ConfigMap|default/a"] },
  {
    name: "a namespace",
    text: "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: apps}\n",
    want: ["1 Secret|apps/a"],
  },
  {
    name: "JSON, alone and among YAML",
    text: `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}\n---\n${config("b")}--- {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}}\n`,
    want: ["1 ConfigMap|default/a", "3 ConfigMap|default/b", "6 Secret|default/c"],
  },
  {
    name: "a List in YAML, each item on its own line",
    text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: b}\n",
    want: ["4 ConfigMap|default/a", "7 ConfigMap|default/b"],
  },
  {
    name: "a List in JSON",
    text: '{"kind": "List", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}]}',
    want: ["1 ConfigMap|default/a"],
  },
  {
    name: "aliases",
    text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: &n a, labels: {x: *n}}\n",
    want: ["1 ConfigMap|default/a"],
  },
  {
    name: "kinds that are not ours",
    text: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n",
    want: ["ignored"],
  },
  {
    name: "a Service of another group",
    text: "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\n",
    want: ["ignored"],
  },
])("reads $name", ({ text, want }) => {
  expect(names(text)).toEqual(want);
});

describe("does not parse", () => {
  const bomb = `x0: &x0 [a, a]\n${Array.from({ length: 30 }, (_, i) => `x${i + 1}: &x${i + 1} [*x${i}, *x${i}]\n`).join("")}`;
  test.for<{ name: string; text: string; line: number; message: RegExp }>([
    { name: "a broken collection", text: `${config("a")}---\na: [1\nb: 2\n`, line: 6, message: /flow sequence/i },
    { name: "a key given twice", text: "a: 1\nb: 2\na: 3\n", line: 3, message: /unique/ },
    {
      name: "a key given twice in JSON",
      text: '{"a": 1,\n "b": {"a": 1, "c": "\\"a\\": 2"},\n "a": 2}\n',
      line: 3,
      message: /unique/,
    },
    { name: "broken JSON", text: '{"a": 1,\n "b": [}\n', line: 2, message: /./ },
    { name: "an alias of nothing", text: "a: *b\n", line: 1, message: /alias/i },
    { name: "aliases that grow without bound", text: bomb, line: 1, message: /alias/i },
    { name: "an alias that leads into itself", text: "a: &a [*a]\n", line: 1, message: /itself/ },
    {
      name: "nesting without end",
      text: `# x\na: ${"[".repeat(150)}${"]".repeat(150)}\n`,
      line: 2,
      message: /too deep/,
    },
    {
      name: "nesting without end in JSON",
      text: `${"[".repeat(5000)}${"]".repeat(5000)}`,
      line: 1,
      message: /too deep|stack/,
    },
    { name: "a tag of somebody", text: "a: 1\nb: !mine x\n", line: 2, message: /tag/ },
    { name: "a tab that indents", text: "a:\n\tb: 1\n", line: 2, message: /tab/i },
    { name: "a directive without a document", text: "%YAML 1.2\n", line: 1, message: /./ },
    { name: "a YAML document without bound", text: `a: ${"x".repeat(9 * 1024 * 1024)}\n`, line: 1, message: /8 MiB/ },
  ])("$name", ({ text, line, message }) => {
    const manifest = read(text);
    expect(manifest).toMatchObject({ ok: false, faults: [{ line }] });
    if (!manifest.ok) expect(manifest.faults[0]?.message).toMatch(message);
  });

  test("each document that does not, with its line, as far as somebody reads them", () => {
    const manifest = read("a: [\n---\n".repeat(100));
    expect(manifest).toMatchObject({ ok: false });
    if (!manifest.ok)
      expect(manifest.faults.map(({ line }) => line)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i + 1));
  });
});

describe("is refused", () => {
  test.for<{ name: string; text: string; id: string | undefined; message: RegExp; line?: number }>([
    { name: "what is no object", text: "- a\n", id: undefined, message: /must be an object/ },
    { name: "an object without a kind", text: "apiVersion: v1\n", id: undefined, message: /kind: is required/ },
    { name: "an object without a version", text: "kind: Service\n", id: undefined, message: /apiVersion: is required/ },
    {
      name: "an object without a name",
      text: "apiVersion: v1\nkind: Secret\nmetadata: {}\n",
      id: undefined,
      message: /name/,
    },
    {
      name: "a name with a slash",
      text: "apiVersion: v1\nkind: Secret\nmetadata: {name: a/b}\n",
      id: undefined,
      message: /name/,
    },
    {
      name: "another version of our group",
      text: "apiVersion: holdfast.dev/v9\nkind: WebSocketRoute\nmetadata: {name: a}\n",
      id: "WebSocketRoute|default/a",
      message: /apiVersion: must be "holdfast.dev\/v1alpha1"/,
    },
    {
      name: "a route that breaks its schema, with the field",
      text: "# x\n---\napiVersion: holdfast.dev/v1alpha1\nkind: WebSocketRoute\nmetadata: {name: a}\nspec: {hostnames: [chat.example.com], rules: [{backendRefs: [{name: a, port: 99999}]}]}\n",
      id: "WebSocketRoute|default/a",
      message: /^WebSocketRoute default\/a: spec\.rules\[0\]\.backendRefs\[0\]\.port: /,
      line: 3,
    },
    {
      name: "a slice whose address is none",
      text: "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\naddressType: IPv4\nendpoints: [{addresses: [nowhere]}]\n",
      id: "EndpointSlice|default/a",
      message: /endpoints\[0\]\.addresses\[0\]/,
    },
    {
      name: "labels that are none",
      text: "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: [x]}\nspec: {}\n",
      id: "Service|default/a",
      message: /metadata\.labels/,
    },
  ])("$name", ({ text, id, message, line = 1 }) => {
    expect(findings(text)).toEqual([{ kind: "refused", id, line, message: expect.stringMatching(message) }]);
  });
});

test("documents that did not change keep their objects and their cost", () => {
  const first = readManifest(`${config("a")}---\n${config("b")}---\n${config("c")}`, NO_CACHE);
  const second = readManifest(`${config("a")}---\n${config("x")}---\n${config("c")}`, first.cache);
  if (!first.manifest.ok || !second.manifest.ok) throw new Error("both parse");
  const objectOf = (finding: Finding | undefined): unknown => finding?.kind === "admitted" && finding.admitted.object;
  expect(objectOf(second.manifest.findings[0])).toBe(objectOf(first.manifest.findings[0]));
  expect(objectOf(second.manifest.findings[2])).toBe(objectOf(first.manifest.findings[2]));
  expect([...second.cache].filter(([text, read_]) => first.cache.get(text) !== read_)).toHaveLength(1);
});

test("a file of 5,000 documents of which one changed is not parsed again", () => {
  const text = Array.from({ length: 5000 }, (_, i) => config(`a-${i}`)).join("---\n");
  const first = readManifest(text, NO_CACHE);
  const second = readManifest(text.replace("name: a-777}", "name: changed}"), first.cache);
  const known = new Set(first.cache.values());
  expect([...second.cache.values()].filter((document) => !known.has(document))).toHaveLength(1);
});
