import { z } from "zod";
import type { Read } from "./fault.ts";
import { drainId, filterShape, ordersShape, pageShape, route, span, target, upstream } from "./field-forms.ts";
import type { TunnelFilter } from "./operations.ts";

export const TUNNELS_QUERY = z.strictObject({ ...filterShape, ...pageShape });
export const BACKENDS_QUERY = z.strictObject({ upstream: upstream.optional(), ...pageShape });
export const ROUTES_QUERY = z.strictObject({ route: route.optional(), ...pageShape });
export const DRAINS_QUERY = z.strictObject({ id: drainId.optional(), ...pageShape });
export const CLOSE_BODY = z.strictObject({
  ...filterShape,
  all: z.literal(true, { error: "must be true, or left out" }).optional(),
  ...ordersShape,
});
export const DRAIN_BODY = z.strictObject({ backend: target.optional(), grace: span.optional(), ...ordersShape });
/** Of the shorthand for a sidecar: the whole process, and the answer comes when it is over. */
export const PROCESS_BODY = z.strictObject({ grace: span.optional(), ...ordersShape });
export const NO_QUERY = z.strictObject({});

/** The fields of a filter as requests write them. */
export type FilterFields = Pick<z.output<typeof TUNNELS_QUERY>, keyof typeof filterShape>;
export type OrderFields = Pick<z.output<typeof CLOSE_BODY>, keyof typeof ordersShape>;

/** What a request says, by its form, or the first thing that is wrong with it. */
export function readForm<Form extends z.ZodObject>(form: Form, said: object): Read<z.output<Form>> {
  const result = form.safeParse(said);
  if (result.success) return { value: result.data };
  const [issue] = result.error.issues;
  if (issue?.code === "unrecognized_keys") {
    const field = issue.keys[0] ?? "";
    const known = Object.keys(form.shape).join(", ");
    const message = `there is no ${field.slice(0, 64)} here; ${known === "" ? "nothing may be given" : `known: ${known}`}`;
    return { fault: { code: "unknown_field", field, message } };
  }
  const field = String(issue?.path[0] ?? "");
  return { fault: { code: "bad_field", field, message: `${field} ${issue?.message ?? "is wrong"}` } };
}

/** A query's parameters, each at most once. `query` is what stands behind the `?`. */
export function readQuery(query: string): Read<Readonly<Record<string, string>>> {
  const said = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (said.has(name)) {
      return { fault: { code: "bad_field", field: name, message: `${name.slice(0, 64)} may be given once only` } };
    }
    said.set(name, value);
  }
  return { value: Object.fromEntries(said) };
}

/** The filter that the fields say. */
export function filterOf(fields: FilterFields): TunnelFilter {
  const { route: routeName, rule, upstream: upstreamName, backend, client, id, olderThan, idleFor } = fields;
  return {
    route: routeName,
    rule,
    upstream: upstreamName,
    backend,
    client,
    id,
    minAgeMs: olderThan,
    minIdleMs: idleFor,
  };
}
