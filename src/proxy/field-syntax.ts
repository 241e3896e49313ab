/** 1 for every character of a token (RFC 9110 5.6.2). */
const TOKEN_CHARS = new Uint8Array(128);
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  TOKEN_CHARS[char.charCodeAt(0)] = 1;
}

/** A token: what names of fields, methods, subprotocols and extensions are made of. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    if (TOKEN_CHARS[text.charCodeAt(i)] !== 1) return false;
  }
  return text !== "";
}

/** What no field value holds: control characters but the tab, and what is no single byte (RFC 9110 5.5). */
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** A field value as it may be sent. */
export function isFieldValue(text: string): boolean {
  return !NOT_IN_VALUE.test(text);
}

export function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return false;
  }
  return text !== "";
}

/** Without the spaces and tabs around it (RFC 9110 5.6.3). String's trim takes more, such as the byte a0. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The elements of comma-separated lists over several field lines; empty ones are left out (RFC 9110 5.6.1). */
export function listElements(values: readonly string[]): string[] {
  const elements: string[] = [];
  for (const value of values) {
    for (let start = 0; start <= value.length; ) {
      const end = endOfElement(value, start);
      const element = trimSpace(value.slice(start, end));
      if (element !== "") elements.push(element);
      start = end + 1;
    }
  }
  return elements;
}

/** The next comma outside a quoted string, or the end (RFC 9110 5.6.4). */
function endOfElement(value: string, start: number): number {
  let isQuoted = false;
  for (let i = start; i < value.length; i += 1) {
    const char = value[i];
    if (char === '"') isQuoted = !isQuoted;
    else if (char === "\\" && isQuoted) i += 1;
    else if (char === "," && !isQuoted) return i;
  }
  return value.length;
}

/** Whether a list of tokens over several field lines names `token` (lower case), in any spelling. */
export function namesToken(values: readonly string[], token: string): boolean {
  for (const value of values) {
    // As long as the token, it is the token or nothing; only what is longer can be a list.
    if (value.length === token.length ? value.toLowerCase() === token : isInList(value, token)) return true;
  }
  return false;
}

function isInList(list: string, token: string): boolean {
  if (list.length < token.length) return false;
  return list.split(",").some((element) => trimSpace(element).toLowerCase() === token);
}
