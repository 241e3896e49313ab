const UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
];

/** As exact as one reads it in a list: `850ms`, `12s`, `3m5s`, `2h10m`, `4d3h`; `-` before what is over. */
export function durationInWords(ms: number): string {
  if (ms < 0) return `-${durationInWords(-ms)}`;
  const largest = UNITS.findIndex(([, unitMs]) => ms >= unitMs);
  const [unit, unitMs] = UNITS[largest] ?? [];
  if (unit === undefined || unitMs === undefined) return `${Math.round(ms)}ms`;
  const whole = `${Math.floor(ms / unitMs)}${unit}`;
  const [nextUnit, nextMs] = UNITS[largest + 1] ?? [];
  if (nextUnit === undefined || nextMs === undefined) return whole;
  const rest = Math.floor((ms % unitMs) / nextMs);
  return rest === 0 ? whole : `${whole}${rest}${nextUnit}`;
}

const BYTE_UNITS: readonly string[] = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

/** `512`, `1.5Ki`, `12Mi`. */
export function bytesInWords(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 10 ? Math.floor(value) : Math.floor(value * 10) / 10}${BYTE_UNITS[power] ?? ""}`;
}

/** `1 tunnel`, `2 tunnels`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
