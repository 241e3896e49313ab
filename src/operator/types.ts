/** Where a Holdfast is asked. */
export type AdminTarget =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** What can be listed. */
export type ListName = "tunnels" | "backends" | "routes" | "drains";

/** Something to look at. */
export interface ListOrder {
  readonly kind: "list";
  readonly list: ListName;
  /** The parameters of its path, without those of pages. */
  readonly query: Readonly<Record<string, string>>;
  /** 0 = all. */
  readonly limit: number;
}

/** Something to do. */
export interface DrainOrder {
  readonly kind: "drain";
  readonly path: "/v1/tunnels/close" | "/v1/drains";
  /** Without `wait`. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly wait: boolean;
}

/** A drain to be stopped. */
export interface StopOrder {
  readonly kind: "stop";
  readonly id: string;
}

/** What a command line of an operator says. */
export interface OperatorOrder {
  readonly at: AdminTarget;
  readonly output: "table" | "json";
  readonly what: ListOrder | DrainOrder | StopOrder;
}

/** Where the words go: `out` is what was asked for, `err` what is said about it. */
export interface OperatorOutput {
  out(text: string): void;
  err(text: string): void;
}
