import type { ProxyErrorCode } from "./answers.ts";
import type { ClientConnection } from "./connections.ts";
import type { DataPath } from "./data-path.ts";
import { refuseConnection } from "./refuse-connection.ts";

/** What the process takes on at most. */
export interface Bounds {
  /** Handshakes under way count too. */
  readonly maxTunnels: number;
  /** Clients' connections, whatever they are for. */
  readonly maxConnections: number;
  /** What waits in all tunnels together; full ones take no new tunnels. */
  readonly buffers: { readonly isExhausted: boolean };
  /** A process that is drained keeps no connection open behind an answer, and in the end takes no new tunnels. */
  readonly drain: { readonly isDraining: boolean; readonly isRefusing: boolean };
}

/** Takes on whatever comes. */
export const UNBOUNDED: Bounds = {
  maxTunnels: Infinity,
  maxConnections: Infinity,
  buffers: { isExhausted: false },
  drain: { isDraining: false, isRefusing: false },
};

/** So many connections too many may be there to hear why; with more of them not even that. */
const MAX_TOLD = 16;

/** Why a handshake cannot begin now; undefined = it can. `tunnels`: with all handshakes under way, and this one. */
export function handshakeBound(
  { maxTunnels, buffers, drain }: Bounds,
  tunnels: number,
): { readonly code: ProxyErrorCode; readonly detail: string } | undefined {
  if (drain.isRefusing) return { code: "HF_DRAINING", detail: "" };
  if (buffers.isExhausted) return { code: "HF_BUFFERS_FULL", detail: "" };
  if (tunnels > maxTunnels) return { code: "HF_TOO_MANY_TUNNELS", detail: `${maxTunnels} are open or being opened` };
  return undefined;
}

/** Refuses a new connection that is one too many. `connections`: with this one. */
export function boundConnections(
  connection: ClientConnection,
  connections: number,
  { maxConnections }: Bounds,
  path: DataPath,
): void {
  if (connections <= maxConnections) return;
  refuseConnection(connection, { code: "HF_TOO_MANY_CONNECTIONS", detail: "" }, path);
  if (connections > maxConnections + MAX_TOLD) connection.socket.destroy();
}
