import { BlockList, isIP } from "node:net";

/** Says why nothing may be dialled there, in words that a client may read; undefined = it may. Cheap, never throws. */
export type ForbiddenCheck = (address: string, port: number) => string | undefined;

/** What a listener of this process is bound to, as the system says it. */
export interface OwnListener {
  readonly address: string;
  readonly port: number;
}

export interface ForbiddenTargetsOptions {
  /** Every listener of this process, those of the moment. */
  readonly ownListeners: () => readonly OwnListener[];
  /** Every address of this machine. May be slow, and may throw: then what it said last holds. */
  readonly ownAddresses: () => readonly string[];
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
}

interface Range {
  readonly network: string;
  readonly prefix: number;
}

/** Reading the interfaces takes about 0.1 ms, and each dial to a common port such as 8080 would do it. */
const OWN_ADDRESSES_FOR_MS = 1000;

/** The first that fits names the reason: `::1` is also what an IPv4-compatible 0.0.0.1 would be. */
const FORBIDDEN: readonly { readonly what: string; readonly ranges: readonly Range[] }[] = [
  { what: "a loopback address", ranges: [range("127.0.0.0", 8), range("::1", 128)] },
  {
    what: "the unspecified address",
    // All of 0/8 is "this network" (RFC 791 3.2); Linux takes 0.0.0.0 for its loopback.
    ranges: [range("0.0.0.0", 8), range("::", 128)],
  },
  { what: "a link-local address", ranges: [range("169.254.0.0", 16), range("fe80::", 10)] },
  { what: "a multicast address", ranges: [range("224.0.0.0", 4), range("ff00::", 8)] },
  // The rest of 240/4 is not here: there are clusters whose Pods live there.
  { what: "the broadcast address", ranges: [range("255.255.255.255", 32)] },
];

/** Prefixes of 96 bits behind which the last 32 are an IPv4 address. */
const EMBEDDING: readonly string[] = [
  // IPv4-compatible and IPv4-mapped (RFC 4291 2.5.5); the kernel connects to the latter over IPv4.
  "::",
  "::ffff:",
  // IPv4-translated (RFC 2765 2.1), and NAT64: well-known and for local use (RFC 6052 2.1, RFC 8215).
  "::ffff:0:",
  "64:ff9b::",
  "64:ff9b:1::",
];

/**
 * Makes the check for a cluster, where those who write routes and endpoints are not those who run Holdfast: none of
 * them may reach what listens on this machine or link, the admin port above all. What is no IP address is forbidden as
 * well: to resolve it would mean to connect to something that nobody has checked.
 */
export function forbiddenTargets(options: ForbiddenTargetsOptions): ForbiddenCheck {
  const kinds = FORBIDDEN.map(({ what, ranges }) => ({ what, list: listOf(ranges) }));
  const all = listOf(FORBIDDEN.flatMap(({ ranges }) => ranges));
  const own = new OwnAddresses(options);
  return (address, port) => {
    const family = isIP(address);
    if (family === 0) return "no IP address";
    if (contains(all, address, family)) {
      return kinds.find(({ list }) => contains(list, address, family))?.what ?? "a forbidden address";
    }
    const listeners = options.ownListeners();
    if (!listeners.some((listener) => listener.port === port)) return undefined;
    return contains(own.list(listeners), address, family) ? "a listener of Holdfast itself" : undefined;
  };
}

/** The machine's addresses, read again when they are asked for and a second old. */
class OwnAddresses {
  readonly #options: ForbiddenTargetsOptions;
  #addresses: readonly string[] = [];
  #bound = "";
  #list = new BlockList();
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ForbiddenTargetsOptions) {
    this.#options = options;
    // So that there is something to fall back on when the process is out of descriptors and they cannot be read.
    this.#read();
  }

  list(listeners: readonly OwnListener[]): BlockList {
    const nowMs = this.#options.now();
    const bound = listeners.map(({ address }) => address);
    if (nowMs - this.#readAtMs < OWN_ADDRESSES_FOR_MS && bound.join() === this.#bound) return this.#list;
    this.#readAtMs = nowMs;
    this.#bound = bound.join();
    this.#read();
    this.#list = listOf([...this.#addresses, ...bound].flatMap(hostRange));
    return this.#list;
  }

  #read(): void {
    try {
      this.#addresses = this.#options.ownAddresses();
    } catch {
      // What was read last holds.
    }
  }
}

function range(network: string, prefix: number): Range {
  return { network, prefix };
}

function hostRange(address: string): readonly Range[] {
  const family = isIP(address);
  return family === 0 ? [] : [range(address, family === 4 ? 32 : 128)];
}

/** The ranges, and those of IPv4 in every form that IPv6 has for them. */
function listOf(ranges: readonly Range[]): BlockList {
  const list = new BlockList();
  for (const { network, prefix } of ranges) {
    if (isIP(network) === 6) {
      list.addSubnet(network, prefix, "ipv6");
      continue;
    }
    list.addSubnet(network, prefix, "ipv4");
    for (const embedding of EMBEDDING) list.addSubnet(`${embedding}${network}`, 96 + prefix, "ipv6");
    list.addSubnet(sixToFour(network), 16 + prefix, "ipv6");
  }
  return list;
}

/** The network behind an IPv4 address in 6to4 (RFC 3056 2): 2002, then the address. */
function sixToFour(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return `2002:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}::`;
}

function contains(list: BlockList, address: string, family: number): boolean {
  return list.check(address, family === 6 ? "ipv6" : "ipv4");
}
