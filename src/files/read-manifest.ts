import { type Admission, admit } from "./admit.ts";
import { splitDocuments } from "./documents.ts";
import { parseDocument } from "./parse-document.ts";

/** An object of a manifest and where it begins, from 1. */
export type Finding = Admission & { readonly line: number };

export type Manifest =
  | { readonly ok: true; readonly findings: readonly Finding[] }
  | { readonly ok: false; readonly faults: readonly ManifestFault[] };

interface ManifestFault {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** What reading made of a document, lines counted from its beginning. */
type ReadDocument =
  | { readonly ok: true; readonly findings: readonly Finding[] }
  | { readonly ok: false; readonly fault: ManifestFault };

/** What was made of each text of a file; whoever owns the file gives it back when the file is read again. */
export type DocumentCache = ReadonlyMap<string, ReadDocument>;

const MOST_FAULTS = 20;

/**
 * Reads the text of a file. Documents that are in the cache are not parsed again, and their objects keep their
 * identity; the cache that comes back holds the documents of this text only. One document that does not parse makes the
 * whole file one that does not: nobody knows what else its fault swallowed. Never throws.
 */
export function readManifest(
  text: string,
  before: DocumentCache,
): { readonly manifest: Manifest; readonly cache: DocumentCache } {
  const cache = new Map<string, ReadDocument>();
  const findings: Finding[] = [];
  const faults: ManifestFault[] = [];
  for (const document of splitDocuments(text)) {
    const known = cache.get(document.text) ?? before.get(document.text) ?? readDocument(document.text);
    cache.set(document.text, known);
    if (known.ok) for (const finding of known.findings) findings.push(moveDown(finding, document.line));
    else if (faults.length < MOST_FAULTS) faults.push(moveDown(known.fault, document.line));
  }
  return { manifest: faults.length === 0 ? { ok: true, findings } : { ok: false, faults }, cache };
}

function moveDown<Placed extends { readonly line: number }>(placed: Placed, lines: number): Placed {
  return { ...placed, line: placed.line + lines };
}

function readDocument(text: string): ReadDocument {
  const parsed = parseDocument(text);
  if (!parsed.ok) return { ok: false, fault: { line: parsed.line, message: parsed.message } };
  const { value, line, lineOfItem } = parsed;
  if (value === null || value === undefined) return { ok: true, findings: [] };
  const items = itemsOf(value);
  if (items === undefined) return { ok: true, findings: [{ ...admit(value), line }] };
  return { ok: true, findings: items.map((item, index) => ({ ...admit(item), line: lineOfItem(index) })) };
}

/** The objects in a `kind: List`, as `kubectl get -o yaml` writes it; undefined = it is none. */
function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!("kind" in value) || value.kind !== "List" || !("items" in value)) return undefined;
  return Array.isArray(value.items) ? value.items : undefined;
}
