import { randomFillSync } from "node:crypto";

/** 72 bits: 12 characters of base64url, of which no two tunnels of a fleet are ever the same. */
const ID_BYTES = 9;
/** Asking the system for randomness costs as much for many ids as for one. */
const IDS_AT_ONCE = 256;

/** A source of ids that nobody can guess; each comes once. */
export function randomIds(): () => string {
  const pool = Buffer.alloc(ID_BYTES * IDS_AT_ONCE);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    at += ID_BYTES;
    return pool.toString("base64url", at - ID_BYTES, at);
  };
}
