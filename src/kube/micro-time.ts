/** A time as metav1.MicroTime has it, from milliseconds since 1970. */
export function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace("Z", "000Z");
}
