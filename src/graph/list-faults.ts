import type { Issue } from "../api/index.ts";

/** Kubernetes allows 32,768 characters; what is longer than this is read by nobody. */
const LONGEST_MESSAGE = 1024;
const MOST_FAULTS = 8;

/** Faults as one message of bounded length; `count` when there are more than `faults` holds. */
export function listFaults(faults: readonly Issue[], count: number = faults.length): string {
  const named = faults
    .slice(0, MOST_FAULTS)
    .map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
  if (count > named.length) named.push(`and ${count - named.length} more`);
  const text = named.join("; ");
  return text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE - 1)}…` : text;
}
