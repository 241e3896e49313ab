/**
 * Orders two resource versions of one resource: below 0, 0 or above 0. undefined where they have no order.
 * Kubernetes 1.35 promises decimal numbers without leading zeros, of any length (KEP-5504); before, and from other
 * servers, a version may be any text.
 */
export function compareVersions(a: string, b: string): number | undefined {
  if (!isNumber(a) || !isNumber(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function isNumber(version: string): boolean {
  return /^(0|[1-9]\d*)$/.test(version);
}
