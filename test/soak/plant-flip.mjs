// Loaded into the proxy by a test: turns one bit of what is written to a socket, once in a while, so that the test can
// show that it would see it.
import { Socket } from "node:net";

const EVERY = 400;
let writes = 0;
const write = Socket.prototype.write;
Socket.prototype.write = function (chunk, ...rest) {
  writes += 1;
  if (writes % EVERY === 0 && chunk instanceof Uint8Array && chunk.length > 40) chunk[chunk.length - 1] ^= 1;
  return write.call(this, chunk, ...rest);
};
