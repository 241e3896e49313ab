import { z } from "zod";

// As much of an answer as is shown. A newer Holdfast may say more: what is unknown here is let pass.
const name = z.string();
const count = z.number();

const TUNNEL = z.object({
  id: name,
  route: name,
  rule: name,
  backend: name,
  client: name,
  ageMs: count,
  idleMs: count,
  bytesUp: count,
  bytesDown: count,
});
const BACKEND = z.object({
  upstream: name,
  backend: name,
  state: name,
  ejection: z.object({ sign: name, endsInMs: count }).optional(),
  stateMs: count,
  tunnels: count,
  pending: count,
  drain: z.object({ left: count, closed: count, endsInMs: count.optional() }).optional(),
});
const RULE = z.object({
  route: name,
  rule: name,
  hosts: z.array(name),
  matches: z.array(name),
  backends: z.array(z.object({ upstream: name, weight: count })),
  tunnels: count,
});
const DRAIN = z.object({
  id: name,
  reason: name,
  target: name,
  state: name,
  waiting: count,
  closing: count,
  gone: count,
  endsInMs: count.optional(),
});

export type TunnelRow = z.output<typeof TUNNEL>;
export type BackendRow = z.output<typeof BACKEND>;
export type RuleRow = z.output<typeof RULE>;
export type DrainRow = z.output<typeof DRAIN>;

/** A page of any list; what its items are is read with `ITEMS`. */
export const PAGE_ANSWER = z.object({
  replica: name,
  items: z.array(z.unknown()),
  total: count,
  next: name.optional(),
});
export const ITEMS = {
  tunnels: z.array(TUNNEL),
  backends: z.array(BACKEND),
  routes: z.array(RULE),
  drains: z.array(DRAIN),
};
export const DRAIN_ANSWER = DRAIN.extend({ replica: name });
export const ERROR_ANSWER = z.object({ error: z.object({ code: name, message: name }) });

export type DrainAnswer = z.output<typeof DRAIN_ANSWER>;
