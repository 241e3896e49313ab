import { isRecord } from "./answers.ts";
import { microTime } from "./micro-time.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A Lease object (coordination.k8s.io/v1) as far as it matters who holds it. */
export interface LeaseRecord {
  /** "" = nobody. */
  readonly holder: string;
  /** For how long it is held if nothing changes; undefined = not said. */
  readonly durationSeconds: number | undefined;
  readonly acquireTime: string;
  readonly renewTime: string;
  /** How often the holder changed. */
  readonly transitions: number;
  /** The object as it came, to be sent back with other words in `spec`. */
  readonly object: Fields;
}

/** The duration that goes with giving up: whoever looks next takes it. */
const RELEASED_SECONDS = 1;
/** What others write cannot keep us waiting for longer. */
const LONGEST_HELD_MS = 60_000;

/** Fields of another type than they should have count as missing. */
export function readLease(object: unknown): LeaseRecord {
  const fields = isRecord(object) ? object : {};
  const spec = isRecord(fields["spec"]) ? fields["spec"] : {};
  const duration = spec["leaseDurationSeconds"];
  const transitions = spec["leaseTransitions"];
  return {
    holder: textOf(spec["holderIdentity"]),
    durationSeconds: typeof duration === "number" && duration > 0 ? duration : undefined,
    acquireTime: textOf(spec["acquireTime"]),
    renewTime: textOf(spec["renewTime"]),
    transitions: typeof transitions === "number" ? transitions : 0,
    object: fields,
  };
}

/** Whether nobody touched it between the two. Times are compared as text only: they are of others' clocks. */
export function isSameLease(a: LeaseRecord, b: LeaseRecord): boolean {
  return (
    a.holder === b.holder &&
    a.durationSeconds === b.durationSeconds &&
    a.acquireTime === b.acquireTime &&
    a.renewTime === b.renewTime &&
    a.transitions === b.transitions
  );
}

/**
 * How long the holder may count on it after its last sign of life, in milliseconds; 0 = it was given up. A name that
 * somebody emptied by hand is not given up: who stood there may not know it yet.
 */
export function heldMs({ holder, durationSeconds }: LeaseRecord, defaultMs: number): number {
  if (holder === "" && (durationSeconds ?? 0) <= RELEASED_SECONDS) return 0;
  return durationSeconds === undefined ? defaultMs : Math.min(durationSeconds * 1000, LONGEST_HELD_MS);
}

/** What `identity` writes to hold it or to go on holding it. */
export function holdLease(
  record: LeaseRecord,
  claim: { readonly identity: string; readonly durationMs: number; readonly wallMs: number },
): Fields {
  const { identity, durationMs, wallMs } = claim;
  const time = microTime(wallMs);
  const isHolder = record.holder === identity;
  return withSpec(record, {
    holderIdentity: identity,
    leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1000)),
    acquireTime: isHolder && record.acquireTime !== "" ? record.acquireTime : time,
    renewTime: time,
    leaseTransitions: record.transitions + (isHolder || wasNeverHeld(record) ? 0 : 1),
  });
}

/** What its holder writes so that another may take it at once. */
export function giveUpLease(record: LeaseRecord, wallMs: number): Fields {
  return withSpec(record, {
    holderIdentity: "",
    leaseDurationSeconds: RELEASED_SECONDS,
    renewTime: microTime(wallMs),
  });
}

function wasNeverHeld({ holder, acquireTime }: LeaseRecord): boolean {
  return holder === "" && acquireTime === "";
}

function withSpec({ object }: LeaseRecord, spec: Fields): Fields {
  const before = isRecord(object["spec"]) ? object["spec"] : {};
  return { ...object, spec: { ...before, ...spec } };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
