import { readdir, stat } from "node:fs/promises";

const DESCRIPTORS = "/proc/self/fd";

/**
 * How many file descriptors the process has open; undefined where nobody says. Linux 6.2 and later give the number as
 * the size of the folder; before that the folder is listed, off the event loop.
 */
export async function openDescriptors(): Promise<number | undefined> {
  try {
    const { size } = await stat(DESCRIPTORS);
    // The listing itself holds one.
    return size > 0 ? size : (await readdir(DESCRIPTORS)).length - 1;
  } catch {
    return undefined;
  }
}
