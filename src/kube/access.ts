import type { Agent as HttpAgent } from "node:http";
import type { AgentOptions, Agent as HttpsAgent } from "node:https";

/** How to reach the API server, and as whom. */
export interface Access {
  readonly server: URL;
  /** Who we are, where that is said in headers. Not a reason for new connections. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Pick<AgentOptions, "ca" | "cert" | "key" | "passphrase" | "servername" | "rejectUnauthorized">;
  /** Connects through the proxy that a kubeconfig names. */
  readonly proxyAgent: HttpAgent | HttpsAgent | undefined;
  /** Connections opened under an equal text may be used; who we are by certificate is part of it. */
  readonly connectionKey: string;
}
