const SLASH = 47;

/** A prefix as it is compared: without trailing slashes, so that `/wsapp/` means `/wsapp`; `/` stays. */
export function canonicalPrefix(value: string): string {
  let end = value.length;
  while (end > 1 && value.charCodeAt(end - 1) === SLASH) end--;
  return value.slice(0, end);
}

/** True for an origin-form path; `*` (RFC 9112 3.2.4) and an empty path are in no table. */
export function isAbsolutePath(path: string): boolean {
  return path.charCodeAt(0) === SLASH;
}
