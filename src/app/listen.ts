import type { ListenAddress } from "./config.ts";

/** The port cannot be had; the message says why, in words, and which flag helps. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

export interface Bound {
  readonly address: string;
  readonly port: number;
}

type Listen = (at: { readonly host: string; readonly port: number }) => Promise<Bound>;

/** What the system calls it → what it means. */
const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use by another process",
  EACCES: "this user may not use the port; ports below 1024 need a privilege",
  EADDRNOTAVAIL: "this machine does not have that address",
  ENOTFOUND: "the name does not resolve to an address",
  EAI_AGAIN: "the name could not be resolved",
};

/**
 * Listens on `at`; without a host on every address, IPv6 and IPv4, or IPv4 alone where there is no IPv6. `flag` is named
 * in the error.
 */
export async function listenOn(listen: Listen, at: ListenAddress, flag: string): Promise<Bound> {
  try {
    return await listenOnHost(listen, at);
  } catch (error) {
    const reason = WORDS[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
    const text = `cannot listen on ${formatAddress(at)}: ${reason}. Choose another address with ${flag}.`;
    throw new ListenError(text, { cause: error });
  }
}

/** As it is written on a command line. */
export function formatAddress({ host, port }: ListenAddress): string {
  if (host === undefined) return `:${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

async function listenOnHost(listen: Listen, { host, port }: ListenAddress): Promise<Bound> {
  if (host !== undefined) return listen({ host, port });
  try {
    return await listen({ host: "::", port });
  } catch (error) {
    if (!["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(codeOf(error))) throw error;
    return listen({ host: "0.0.0.0", port });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
