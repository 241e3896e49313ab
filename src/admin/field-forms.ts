import { isIP } from "node:net";
import { z } from "zod";
import { durationMs } from "../api/index.ts";
import { clientRange } from "./client-range.ts";

/** What a POST may say beyond what is named here is bounded by its body, a GET by the bound of a head. */
const LONGEST_WORD = 512;
/** A timer's limit is 24 days; an age may be longer. */
const LONGEST_MS = 0x7fff_ffff;
const MOST_PER_SECOND = 1_000_000;
const MOST_ITEMS = 1_000;
const LONGEST_REASON = 123;
/** As a rule's `drain.close.code` may be. */
const CODES: readonly number[] = [1000, 1001, 1003, 1008, 1011, 1012, 1013];

const DURATION_FORM = "must be a duration such as 500ms, 10s, 1m30s or 1h";
const CODE_FORM = `must be one of ${CODES.join(", ")}, or 3000 to 4999`;
const REASON_FORM = `must be printable ASCII, up to ${LONGEST_REASON} characters`;

function word(form: string, isForm: (text: string) => boolean): z.ZodString {
  return z
    .string({ error: form })
    .max(LONGEST_WORD, { error: form, abort: true })
    .refine(isForm, { error: form }) as z.ZodString;
}

/** A duration as in a WebSocketRoute → milliseconds. */
const duration = z.string({ error: DURATION_FORM }).transform((text, context) => {
  const ms = readDurationMs(text);
  if (ms !== undefined) return ms;
  context.issues.push({ code: "custom", message: DURATION_FORM, input: text });
  return z.NEVER;
});

/** A duration that something is to be done in. */
export const span = duration.refine((ms) => ms <= LONGEST_MS, { error: "must be at most 596h" });

function readDurationMs(text: string): number | undefined {
  try {
    return durationMs(text);
  } catch {
    return undefined;
  }
}

export const target = word("must be address:port, [address]:port for IPv6", (text) => {
  const [, six, four = "", port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text) ?? [];
  return (six === undefined ? isIP(four) === 4 : isIP(six) === 6) && Number(port) >= 1 && Number(port) <= 65_535;
});
export const route = word("must be namespace/name of a WebSocketRoute", (text) => /^[^/]+\/[^/]+$/.test(text));
export const upstream = word("must be namespace/service:port", (text) => /^[^/:]+\/[^/:]+:[0-9]{1,5}$/.test(text));

export const drainId = word("must be the id of a drain", (text) => text !== "");

/** What picks tunnels, in a query and in a body. */
export const filterShape = {
  route: route.optional(),
  rule: word("must be the name of a rule, or its index", (text) => text !== "").optional(),
  upstream: upstream.optional(),
  backend: target.optional(),
  client: word(
    "must be an address, or a range such as 10.0.0.0/8",
    (text) => clientRange(text) !== undefined,
  ).optional(),
  id: word("must be the id of a tunnel", (text) => text !== "").optional(),
  olderThan: duration.optional(),
  idleFor: duration.optional(),
};

/** Which part of a list is asked for, in a query. */
export const pageShape = {
  limit: z
    .string()
    .refine((text) => /^[0-9]{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_ITEMS, {
      error: `must be a whole number from 1 to ${MOST_ITEMS}`,
    })
    .transform(Number)
    .optional(),
  cursor: z.string().optional(),
};

/** How fast, and with which words. */
export const ordersShape = {
  within: span.optional(),
  perSecond: z
    .int({ error: `must be a whole number up to ${MOST_PER_SECOND}; 0 = no limit` })
    .min(0, { error: "must not be below 0; 0 = no limit" })
    .max(MOST_PER_SECOND, { error: `must be at most ${MOST_PER_SECOND}` })
    .optional(),
  code: z
    .int({ error: CODE_FORM })
    .refine((code) => CODES.includes(code) || (code >= 3000 && code <= 4999), { error: CODE_FORM })
    .optional(),
  reason: z
    .string({ error: REASON_FORM })
    .max(LONGEST_REASON, { error: REASON_FORM })
    .refine((text) => /^[ -~]*$/.test(text), { error: REASON_FORM })
    .optional(),
  wait: z.boolean({ error: "must be true or false" }).optional(),
};
