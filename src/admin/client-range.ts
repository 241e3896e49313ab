import { BlockList, isIP } from "node:net";

/** Whether an address, written as the system writes it, is meant. */
export type AddressTest = (address: string) => boolean;

const BITS: Readonly<Record<number, number>> = { 4: 32, 6: 128 };

/** An address, or a range as `10.0.0.0/8` and `2001:db8::/32`; undefined: it is neither. */
export function clientRange(text: string): AddressTest | undefined {
  const [, network = "", prefix] = /^([0-9A-Fa-f:.]{2,45})(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  const family = isIP(network);
  if (family === 0) return undefined;
  const bits = BITS[family] ?? 0;
  const length = prefix === undefined ? bits : Number(prefix);
  if (length > bits) return undefined;
  // Most look for one client, as a list or a log line has written it.
  if (length === bits && family === 4) return (address) => address === network;
  const name = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, length, name);
  const isOfFamily = (address: string): boolean => address.includes(":") === (family === 6);
  return (address) => isOfFamily(address) && list.check(address, name);
}
