import { expect, test } from "vitest";
import { plainAddress } from "./connections.ts";

test.for([
  { name: "IPv4 stays", address: "192.0.2.1", want: "192.0.2.1" },
  { name: "IPv4 on a dual-stack listener is unwrapped", address: "::ffff:192.0.2.1", want: "192.0.2.1" },
  { name: "IPv6 stays", address: "2001:db8::1", want: "2001:db8::1" },
  { name: "IPv6 that only looks mapped stays", address: "::ffff:1", want: "::ffff:1" },
  { name: "a socket that is gone has none", address: undefined, want: "" },
])("$name", ({ address, want }) => {
  expect(plainAddress(address)).toBe(want);
});
