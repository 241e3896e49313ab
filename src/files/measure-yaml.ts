/**
 * What the YAML parser spends on a text depends on its marks, not on its length: about 10 µs and up to 1 KiB for each.
 * 250,000 are a list of 4,000 ordinary routes in one document.
 */
const MOST_MARKS = 250_000;
/** Brackets that were opened and not closed, or entries nested within one line: far more than any depth that is read. */
const MOST_OPEN = 1000;

/** What begins, parts or ends a node; an entry (`- `, `? `) may hold another one behind it on the same line. */
const MARK = /[[\]{}:,\n]|[-?] /g;

/**
 * Why a YAML text is not worth parsing, from a look at its characters alone; undefined = it is. Characters inside quotes
 * count too: the bounds are far above anything that means something.
 */
export function refuseYaml(text: string): string | undefined {
  let marks = 0;
  let openBrackets = 0;
  let openEntries = 0;
  for (const [mark] of text.matchAll(MARK)) {
    marks += 1;
    if (mark === "[" || mark === "{") openBrackets += 1;
    else if (mark === "]" || mark === "}") openBrackets = Math.max(0, openBrackets - 1);
    else if (mark === "\n") openEntries = 0;
    else if (mark.length === 2) openEntries += 1;
    if (openBrackets + openEntries > MOST_OPEN) return "is nested too deep";
    if (marks > MOST_MARKS) return "holds too much for one YAML document; write several, or JSON";
  }
  return undefined;
}
