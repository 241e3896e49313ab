import { ITEMS } from "./answers.ts";
import { BACKEND_COLUMNS, DRAIN_COLUMNS, RULE_COLUMNS, TUNNEL_COLUMNS } from "./columns.ts";
import { tableOf } from "./table.ts";
import type { ListName } from "./types.ts";

const TABLES: Readonly<Record<ListName, (items: readonly unknown[]) => string | undefined>> = {
  tunnels: (items) => written(ITEMS.tunnels.safeParse(items).data, (rows) => tableOf(TUNNEL_COLUMNS, rows)),
  backends: (items) => written(ITEMS.backends.safeParse(items).data, (rows) => tableOf(BACKEND_COLUMNS, rows)),
  routes: (items) => written(ITEMS.routes.safeParse(items).data, (rows) => tableOf(RULE_COLUMNS, rows)),
  drains: (items) => written(ITEMS.drains.safeParse(items).data, (rows) => tableOf(DRAIN_COLUMNS, rows)),
};

/** A list as a table; undefined: its items are not what such a list has. */
export function listTable(list: ListName, items: readonly unknown[]): string | undefined {
  return TABLES[list](items);
}

function written<Row>(rows: readonly Row[] | undefined, table: (rows: readonly Row[]) => string): string | undefined {
  return rows === undefined ? undefined : table(rows);
}
