import { networkInterfaces } from "node:os";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { forbiddenTargets, type OwnListener } from "./forbidden-targets.ts";

interface Machine {
  addresses: readonly string[];
  listeners: readonly OwnListener[];
  nowMs: number;
  reads: number;
}

function checkOn(machine: Partial<Machine> = {}): { machine: Machine; check: ReturnType<typeof forbiddenTargets> } {
  const all: Machine = { addresses: [], listeners: [], nowMs: 0, reads: 0, ...machine };
  const check = forbiddenTargets({
    ownListeners: () => all.listeners,
    ownAddresses: () => {
      all.reads++;
      return all.addresses;
    },
    now: () => all.nowMs,
  });
  return { machine: all, check };
}

const LOOPBACK = "a loopback address";
const LINK_LOCAL = "a link-local address";
const UNSPECIFIED = "the unspecified address";
const MULTICAST = "a multicast address";
const BROADCAST = "the broadcast address";

test.for<readonly [address: string, reason: string]>([
  ["127.0.0.1", LOOPBACK],
  ["127.0.0.0", LOOPBACK],
  ["127.255.255.255", LOOPBACK],
  ["::1", LOOPBACK],
  ["0:0:0:0:0:0:0:1", LOOPBACK],
  ["::1%lo", LOOPBACK],
  ["::ffff:127.0.0.1", LOOPBACK],
  ["::FFFF:127.0.0.1", LOOPBACK],
  ["::ffff:7f00:1", LOOPBACK],
  ["0000:0000:0000:0000:0000:ffff:7f00:0001", LOOPBACK],
  ["::ffff:127.0.0.1%eth0", LOOPBACK],
  ["::127.0.0.1", LOOPBACK],
  ["::7fff:ffff", LOOPBACK],
  ["::ffff:0:127.0.0.1", LOOPBACK],
  ["64:ff9b::127.0.0.1", LOOPBACK],
  ["64:ff9b::7f00:1", LOOPBACK],
  ["64:ff9b:1::127.0.0.1", LOOPBACK],
  ["2002:7f00:1::", LOOPBACK],
  ["2002:7f00:1::1", LOOPBACK],
  ["0.0.0.0", UNSPECIFIED],
  ["0.255.255.255", UNSPECIFIED],
  ["::", UNSPECIFIED],
  ["0:0:0:0:0:0:0:0", UNSPECIFIED],
  ["::ffff:0.0.0.0", UNSPECIFIED],
  ["::ffff:0:0", UNSPECIFIED],
  ["64:ff9b::", UNSPECIFIED],
  ["2002::1", UNSPECIFIED],
  ["169.254.169.254", LINK_LOCAL],
  ["169.254.0.0", LINK_LOCAL],
  ["fe80::1", LINK_LOCAL],
  ["fe80::1%eth0", LINK_LOCAL],
  ["FEBF:FFFF::", LINK_LOCAL],
  ["::ffff:169.254.169.254", LINK_LOCAL],
  ["64:ff9b::a9fe:a9fe", LINK_LOCAL],
  ["2002:a9fe:a9fe::", LINK_LOCAL],
  ["224.0.0.1", MULTICAST],
  ["239.255.255.255", MULTICAST],
  ["ff02::1", MULTICAST],
  ["ff0e::1%eth0", MULTICAST],
  ["::ffff:224.0.0.1", MULTICAST],
  ["2002:e000:1::", MULTICAST],
  ["255.255.255.255", BROADCAST],
  ["::ffff:255.255.255.255", BROADCAST],
  ["64:ff9b::255.255.255.255", BROADCAST],
])("%s is refused as %s", ([address, reason]) => {
  expect(checkOn().check(address, 80)).toBe(reason);
});

test.for([
  "10.0.0.1",
  "192.168.1.1",
  "172.16.0.1",
  "100.64.0.1",
  "1.0.0.0",
  "126.255.255.255",
  "128.0.0.0",
  "169.253.255.255",
  "169.255.0.0",
  "223.255.255.255",
  "240.0.0.1",
  "255.255.255.254",
  "fd00::1",
  "fd00::127.0.0.1",
  "2001:db8::7f00:1",
  "fe7f:ffff::1",
  "fec0::1",
  "feff::1",
  "::ffff:10.0.0.1",
  "64:ff9b::10.0.0.1",
  "2002:a00:1::",
])("%s may be dialled", (address) => {
  expect(checkOn().check(address, 80)).toBeUndefined();
});

test.for([
  "",
  "localhost",
  "127.1",
  "0x7f.0.0.1",
  "0177.0.0.1",
  "2130706433",
  "127.0.0.01",
  "[::1]",
  " 127.0.0.1",
  "::1%",
])("'%s' is refused: it would have to be resolved", (address) => {
  expect(checkOn().check(address, 80)).toBe("no IP address");
});

test("whatever an IPv4 address is, it is refused or not the same way in each form that IPv6 has for it", () => {
  const { check } = checkOn({ addresses: ["10.1.2.3"], listeners: [{ address: "::", port: 9 }] });
  const near = fc.constantFrom(0, 10, 126, 127, 128, 169, 223, 224, 239, 240, 255);
  const octet = fc.oneof(near, fc.nat(255));
  fc.assert(
    fc.property(octet, octet, octet, octet, fc.constantFrom(9, 80), (a, b, c, d, port) => {
      const want = check([a, b, c, d].join("."), port);
      const [high, low] = [((a << 8) | b).toString(16), ((c << 8) | d).toString(16)];
      for (const form of [`::ffff:${high}:${low}`, `64:ff9b::${high}:${low}`, `2002:${high}:${low}::5`]) {
        expect([form, check(form, port)]).toEqual([form, want]);
      }
      // `::1` is the loopback and no IPv4 address.
      if (a + b + c > 0) expect(check(`::${high}:${low}`, port)).toBe(want);
    }),
    { numRuns: 2000 },
  );
});

test("no text makes it throw", () => {
  const { check } = checkOn({ addresses: ["10.0.0.5"], listeners: [{ address: "::", port: 9 }] });
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...Array.from("019af:.%")) }), fc.ipV6());
  fc.assert(fc.property(text, fc.nat(65_535), (address, port) => void check(address, port)));
});

describe("listeners of this process", () => {
  const ADMIN: OwnListener = { address: "::", port: 9090 };
  const HTTP: OwnListener = { address: "0.0.0.0", port: 8080 };
  const OURS = "a listener of Holdfast itself";

  test.for<{ name: string; address: string; port: number; want: string | undefined }>([
    { name: "an own address with the port of a listener", address: "10.0.0.5", port: 9090, want: OURS },
    { name: "an own address with the port of another listener", address: "10.0.0.5", port: 8080, want: OURS },
    { name: "an own address with another port", address: "10.0.0.5", port: 9091, want: undefined },
    { name: "a foreign address with the port of a listener", address: "10.0.0.6", port: 9090, want: undefined },
    { name: "an own IPv6 address", address: "fd00::5", port: 9090, want: OURS },
    { name: "an own IPv6 address, spelt out", address: "FD00:0:0:0:0:0:0:0005", port: 9090, want: OURS },
    { name: "an own IPv6 address with a zone", address: "fd00::5%eth0", port: 9090, want: OURS },
    { name: "an own address in IPv6", address: "::ffff:10.0.0.5", port: 9090, want: OURS },
    { name: "an own address in hexadecimal", address: "::ffff:a00:5", port: 9090, want: OURS },
    { name: "an own address behind NAT64", address: "64:ff9b::a00:5", port: 9090, want: OURS },
    { name: "an own address in 6to4", address: "2002:a00:5::1", port: 9090, want: OURS },
    { name: "a foreign address in IPv6", address: "::ffff:10.0.0.6", port: 9090, want: undefined },
  ])("$name: $want", ({ address, port, want }) => {
    const { check } = checkOn({ addresses: ["10.0.0.5", "fd00::5", "nonsense"], listeners: [ADMIN, HTTP] });
    expect(check(address, port)).toBe(want);
  });

  test("the address that a listener is bound to is own, even where no interface has it", () => {
    const { machine, check } = checkOn({ addresses: [] });
    expect(check("192.0.2.1", 9090)).toBeUndefined();
    machine.listeners = [HTTP, { address: "192.0.2.1", port: 9090 }];
    expect(check("192.0.2.1", 9090)).toBe(OURS);
    machine.listeners = [HTTP, { address: "192.0.2.2", port: 9090 }];
    expect(check("192.0.2.1", 9090)).toBeUndefined();
    expect(check("192.0.2.2", 9090)).toBe(OURS);
  });

  test("addresses that come are own a second later, and those that go are not any more", () => {
    const { machine, check } = checkOn({ addresses: ["10.0.0.5"], listeners: [ADMIN] });
    expect(check("10.0.0.5", 9090)).toBe(OURS);
    machine.addresses = ["10.0.0.6"];
    machine.nowMs = 1000;
    expect(check("10.0.0.6", 9090)).toBe(OURS);
    expect(check("10.0.0.5", 9090)).toBeUndefined();
  });

  test("the interfaces are not read for each dial, and for other ports not at all", () => {
    const { machine, check } = checkOn({ addresses: ["10.0.0.5"], listeners: [ADMIN] });
    const before = machine.reads;
    for (let i = 0; i < 1000; i++) check("10.0.0.7", 80);
    expect(machine.reads).toBe(before);
    for (let i = 0; i < 1000; i++) check("10.0.0.7", 9090);
    expect(machine.reads).toBe(before + 1);
  });

  test("interfaces that cannot be read leave the addresses as they were", () => {
    let isBroken = false;
    let nowMs = 0;
    const check = forbiddenTargets({
      ownListeners: () => [ADMIN],
      ownAddresses: () => {
        if (isBroken) throw new Error("EMFILE");
        return ["10.0.0.5"];
      },
      now: () => nowMs,
    });
    isBroken = true;
    expect(check("10.0.0.5", 9090)).toBe(OURS);
    nowMs = 60_000;
    expect(check("10.0.0.5", 9090)).toBe(OURS);
  });

  test("what the system says of this machine is understood", () => {
    const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
    expect(addresses.length).toBeGreaterThan(0);
    const { check } = checkOn({ addresses, listeners: [ADMIN] });
    expect(addresses.filter((address) => check(address, 9090) === undefined)).toEqual([]);
  });
});
