import { expect, test } from "vitest";
import { negotiatedBy } from "./negotiated.ts";

test.for([
  { name: "no extension", extensions: [], reservedBits: 0 },
  { name: "permessage-deflate", extensions: ["permessage-deflate"], reservedBits: 0x40 },
  { name: "permessage-deflate twice", extensions: ["permessage-deflate", "permessage-deflate"], reservedBits: 0x40 },
  { name: "x-webkit-deflate-frame", extensions: ["x-webkit-deflate-frame"], reservedBits: 0x70 },
  { name: "an unknown one beside it", extensions: ["permessage-deflate", "permessage-bzip2"], reservedBits: 0x70 },
  { name: "a name that only begins alike", extensions: ["permessage-deflate2"], reservedBits: 0x70 },
])("$name owns what it may", ({ extensions, reservedBits }) => {
  expect(negotiatedBy(extensions, undefined)).toEqual({ subprotocol: undefined, reservedBits });
});

test.for([
  { name: "none", given: undefined, subprotocol: undefined },
  { name: "an empty one", given: " ", subprotocol: undefined },
  { name: "one", given: " graphql-transport-ws ", subprotocol: "graphql-transport-ws" },
])("the subprotocol, $name", ({ given, subprotocol }) => {
  expect(negotiatedBy([], given).subprotocol).toBe(subprotocol);
});
