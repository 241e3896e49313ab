import type { Read } from "./fault.ts";
import type { DrainOrders, ProcessDrainOrders } from "./operations.ts";
import type { OrderFields } from "./request-forms.ts";

/** What counts where a request does not say it. */
export interface DrainDefaults {
  /** Of a drain of the whole process: as SIGTERM would give it. */
  readonly graceMs: number;
  readonly withinMs: number;
}

/** Asks a client to come back (RFC 6455 11.7, registry of close codes). */
const COME_BACK = 1012;
/** Of a drain of a backend: as a rule's `drain.within`. */
const BACKEND_WITHIN_MS = 25_000;
/** Closes that nobody gave a time for: one client goes at once, and a thousand do not come back in one second. */
const CLOSES_PER_SECOND = 100;

export function closeOrders(fields: OrderFields): DrainOrders {
  const perSecond = fields.perSecond ?? (fields.within === undefined ? CLOSES_PER_SECOND : 0);
  return { withinMs: fields.within ?? 0, perSecond, ...words(fields) };
}

export function backendOrders(fields: OrderFields): DrainOrders {
  return { withinMs: fields.within ?? BACKEND_WITHIN_MS, perSecond: fields.perSecond ?? 0, ...words(fields) };
}

/** A grace that nobody gave leaves at least half of the time for the closes. */
export function processOrders(
  fields: OrderFields & { readonly grace?: number | undefined },
  defaults: DrainDefaults,
): Read<ProcessDrainOrders> {
  const withinMs = fields.within ?? defaults.withinMs;
  const graceMs =
    fields.grace ?? (fields.within === undefined ? defaults.graceMs : Math.min(defaults.graceMs, withinMs / 2));
  if (fields.grace !== undefined && graceMs > 0 && graceMs >= withinMs) {
    const message = `grace (${graceMs}ms) must be shorter than within (${withinMs}ms), which it is a part of`;
    return { fault: { code: "bad_request", field: "grace", message } };
  }
  return { value: { withinMs, graceMs, perSecond: fields.perSecond ?? 0, ...words(fields) } };
}

function words({ code, reason }: OrderFields): Pick<DrainOrders, "closeCode" | "closeReason"> {
  return { closeCode: code ?? COME_BACK, closeReason: reason ?? "" };
}
