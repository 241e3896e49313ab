import { SocketFileError } from "../admin/index.ts";
import { ListenError } from "./listen.ts";

/** Listens on a unix socket; what is in the way is said as for a port. */
export async function listenOnSocket(listen: (path: string) => Promise<void>, path: string): Promise<void> {
  try {
    await listen(path);
  } catch (error) {
    if (!(error instanceof SocketFileError)) throw error;
    const text = `cannot listen on ${path}: ${error.message}. Choose another path with --admin-socket.`;
    throw new ListenError(text, { cause: error });
  }
}
