import { haproxy } from "./haproxy.ts";
import { holdfast } from "./holdfast.ts";
import { httpProxy3 } from "./http-proxy-3.ts";
import { nginx } from "./nginx.ts";
import type { Peer } from "./peer.ts";

/** In the order of the tables. */
export const PEERS: readonly Peer[] = [nginx, haproxy, httpProxy3, holdfast];
