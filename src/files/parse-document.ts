import { type Document, isNode, isScalar, parseDocument as parseYamlDocument, visit } from "yaml";
import { linesBeforeContent } from "./documents.ts";
import { measureJson } from "./measure-json.ts";
import { refuseYaml } from "./measure-yaml.ts";

/** What a document's text says; lines are counted from 0 at the beginning of the text. */
export type ParsedDocument =
  | { readonly ok: true; readonly value: unknown; readonly line: number; readonly lineOfItem: LineOfItem }
  | { readonly ok: false; readonly line: number; readonly message: string };

/** Where an item of the document's `items` begins. */
type LineOfItem = (index: number) => number;

/** The tree of a YAML document takes many times its text; what is larger than this can be written as JSON. */
const MOST_YAML_BYTES = 8 * 1024 * 1024;
const MOST_ALIASES = 100;
/** Each is looked for among all before it. */
const MOST_ALIAS_NODES = 10_000;

/** Parses one document, JSON first and else YAML 1.2; never throws. */
export function parseDocument(text: string): ParsedDocument {
  const value = parseJson(text);
  const line = linesBeforeContent(text);
  if (value !== undefined) return checkDepth({ ok: true, value, line, lineOfItem: () => line });
  if (text.length > MOST_YAML_BYTES) return { ok: false, line, message: "a YAML document must not exceed 8 MiB" };
  const refusal = refuseYaml(text);
  return refusal === undefined ? parseYaml(text, line) : { ok: false, line, message: refusal };
}

/** undefined: it is not JSON, or JSON that names a key twice, which the YAML parser finds with its place. */
function parseJson(text: string): unknown {
  const body = text.replace(/^---[ \t\r]*(?:\n|(?=[[{]))/, "");
  if (!/^\s*[[{]/.test(body)) return undefined;
  try {
    const value: unknown = JSON.parse(body);
    return countKeys(body) === measureJson(value).keys ? value : undefined;
  } catch {
    return undefined;
  }
}

/** In valid JSON a text before a colon is a key. */
function countKeys(json: string): number {
  let keys = 0;
  for (const [, colon] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g)) if (colon !== undefined) keys += 1;
  return keys;
}

function parseYaml(text: string, line: number): ParsedDocument {
  try {
    const document = parseYamlDocument(text, {
      version: "1.2",
      // Its own check compares every key with every other.
      uniqueKeys: false,
      stringKeys: true,
      // What JSON cannot say (dates, bytes, sets) means nothing in a manifest.
      resolveKnownTags: false,
      prettyErrors: false,
      logLevel: "error",
    });
    const fault = document.errors[0] ?? document.warnings[0];
    if (fault !== undefined) return { ok: false, line: lineAt(text, fault.pos[0]), message: fault.message };
    const odd = findOddity(document);
    if (odd !== undefined) return { ok: false, line: lineAt(text, odd.offset), message: odd.message };
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
    return checkDepth({ ok: true, value, line, lineOfItem: (index) => lineOfItem(document, text, index) ?? line });
  } catch (error) {
    // Aliases that lead nowhere or too far, and nesting that exhausts the stack.
    return { ok: false, line, message: error instanceof Error ? error.message : String(error) };
  }
}

/** A key that a map has twice, or more aliases than anybody writes. */
function findOddity(document: Document): { readonly offset: number; readonly message: string } | undefined {
  let aliases = 0;
  let odd: { readonly offset: number; readonly message: string } | undefined;
  visit(document, {
    Alias: (_key, { range }) => {
      if (++aliases <= MOST_ALIAS_NODES) return undefined;
      odd = { offset: range?.[0] ?? 0, message: "holds too many aliases" };
      return visit.BREAK;
    },
    Map: (_key, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name)) {
          odd = { offset: isNode(key) ? (key.range?.[0] ?? 0) : 0, message: "Map keys must be unique" };
          return visit.BREAK;
        }
        seen.add(name);
      }
      return undefined;
    },
  });
  return odd;
}

function checkDepth(parsed: ParsedDocument): ParsedDocument {
  if (!parsed.ok || !measureJson(parsed.value).isTooDeep) return parsed;
  return { ok: false, line: parsed.line, message: "is nested too deep, or an alias leads into itself" };
}

function lineOfItem(document: Document, text: string, index: number): number | undefined {
  const item = document.getIn(["items", index], true);
  return isNode(item) && item.range ? lineAt(text, item.range[0]) : undefined;
}

/** A fault at the very end is one of the last line that says something. */
function lineAt(text: string, offset: number): number {
  const end = Math.min(offset, text.trimEnd().length);
  let line = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < end; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}
