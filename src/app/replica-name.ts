import type { Config } from "./config.ts";

/** What operators know this replica by: its identity in the cluster, else the machine's name, which is a container's too. */
export function replicaName({ source }: Pick<Config, "source">, hostname: string): string {
  return source.kind === "kubernetes" ? source.identity : hostname;
}
