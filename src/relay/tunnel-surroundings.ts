import type { EndPace } from "./end-pace.ts";
import type { KeepaliveSurroundings } from "./keepalive.ts";
import type { Backlogs } from "./paced-pipe.ts";
import type { ReadPage } from "./read-page.ts";
import type { TunnelEnd } from "./types.ts";

/** What every tunnel of a relay shares. */
export interface TunnelSurroundings<Tunnel> extends KeepaliveSurroundings {
  readonly random: () => number;
  readonly page: ReadPage;
  /** What sockets read into: the page, or a buffer that Node makes for each read. */
  readonly reading: "page" | "stream";
  readonly backlogs: Backlogs | undefined;
  /** In a storm, when the ends of sockets are served. */
  readonly endPace: EndPace;
  /** Both sockets are closed and nothing of the tunnel is left. */
  readonly onEnd: (tunnel: Tunnel, end: TunnelEnd) => void;
}
