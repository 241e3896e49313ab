/**
 * What the YAML parser spends on a text depends on its marks, not on its length: about 10 µs and up to 1 KiB for each.
 * 250,000 are a list of 4,000 ordinary routes in one document.
 */
const MOST_MARKS = 250_000;
/** Brackets that were opened and not closed, or entries nested within one line: far more than any depth that is read. */
const MOST_OPEN = 1000;

const LINE_END = 10;
const SPACE = 32;
const COMMA = 44;
const DASH = 45;
const COLON = 58;
const QUESTION = 63;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/**
 * Why a YAML text is not worth parsing, from a look at its characters alone; undefined = it is. Characters inside quotes
 * count too: the bounds are far above anything that means something.
 */
export function refuseYaml(text: string): string | undefined {
  let marks = 0;
  let openBrackets = 0;
  let openEntries = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case OPEN_BRACKET:
      case OPEN_BRACE:
        openBrackets++;
        marks++;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        openBrackets = Math.max(0, openBrackets - 1);
        break;
      case DASH:
      case QUESTION:
        if (text.charCodeAt(at + 1) !== SPACE) break;
        openEntries++;
        marks++;
        break;
      case LINE_END:
        openEntries = 0;
        marks++;
        break;
      case COMMA:
      case COLON:
        marks++;
        break;
    }
    if (openBrackets + openEntries > MOST_OPEN) return "is nested too deep";
    if (marks > MOST_MARKS) return "holds too much for one YAML document; write several, or JSON";
  }
  return undefined;
}
