import { describe, expect, test } from "vitest";
import { forwardedHeaders, MAX_HOPS, readVia, type Provenance } from "./forwarded.ts";

const OURS = "holdfast-0123abcd";

function told(changes: Partial<Provenance>): Record<string, string> {
  const provenance: Provenance = {
    clientAddress: "192.0.2.7",
    scheme: "http",
    authority: "chat.example:8020",
    httpVersion: "1.1",
    pseudonym: OURS,
    hops: [],
    ...changes,
  };
  return Object.fromEntries(forwardedHeaders(provenance));
}

describe("what a backend is told", () => {
  test("address, scheme, host with port and who forwarded it", () => {
    expect(told({})).toEqual({
      "X-Forwarded-For": "192.0.2.7",
      "X-Forwarded-Proto": "http",
      "X-Forwarded-Host": "chat.example:8020",
      Forwarded: 'for=192.0.2.7;host="chat.example:8020";proto=http',
      Via: `1.1 ${OURS}`,
    });
  });

  test.for([
    { name: "IPv6 stands in brackets and quotes", address: "2001:db8::1", xff: "2001:db8::1", node: '"[2001:db8::1]"' },
    { name: "IPv4 inside IPv6 is IPv4", address: "::ffff:192.0.2.7", xff: "192.0.2.7", node: "192.0.2.7" },
    { name: "IPv4 inside IPv6 in capitals", address: "::FFFF:192.0.2.7", xff: "192.0.2.7", node: "192.0.2.7" },
    { name: "a zone is left out", address: "fe80::1%eth0", xff: "fe80::1", node: '"[fe80::1]"' },
    { name: "an unknown address is unknown", address: "", xff: "unknown", node: "unknown" },
    { name: "what is no address is unknown", address: "1.2.3.4\r\nX: y", xff: "unknown", node: "unknown" },
  ])("$name", ({ address, xff, node }) => {
    const headers = told({ clientAddress: address });
    expect(headers["X-Forwarded-For"]).toBe(xff);
    expect(headers["Forwarded"]).toBe(`for=${node};host="chat.example:8020";proto=http`);
  });

  test.for([
    { name: "a host without a port needs no quotes", authority: "chat.example", want: "host=chat.example" },
    { name: "a bracketed host needs quotes", authority: "[::1]", want: 'host="[::1]"' },
  ])("$name", ({ authority, want }) => {
    expect(told({ authority })["Forwarded"]).toBe(`for=192.0.2.7;${want};proto=http`);
  });

  test("the scheme is that of the client's connection", () => {
    expect(told({ scheme: "https" })).toMatchObject({ "X-Forwarded-Proto": "https" });
    expect(told({ scheme: "https" })["Forwarded"]).toMatch(/;proto=https$/);
  });

  test("Via says the version as received, and other instances in front", () => {
    expect(told({ httpVersion: "1.0", hops: ["1.1 holdfast-aaaaaaaa"] })["Via"]).toBe(
      `1.1 holdfast-aaaaaaaa, 1.0 ${OURS}`,
    );
    expect(told({ httpVersion: "9\r\n" })["Via"]).toBe(`1.1 ${OURS}`);
  });
});

describe("reading Via", () => {
  test.for([
    { name: "none is no loop", via: [], hops: [] },
    { name: "strangers are dropped", via: ["1.1 varnish, HTTP/1.1 cdn (fast, cheap)"], hops: [] },
    {
      name: "other instances are kept",
      via: ["1.1 holdfast-aaaaaaaa, 1.0 cdn", "2 holdfast-bbbbbbbb"],
      hops: ["1.1 holdfast-aaaaaaaa", "2 holdfast-bbbbbbbb"],
    },
    { name: "a comment is not kept", via: ["1.1 holdfast-aaaaaaaa (a comment)"], hops: ["1.1 holdfast-aaaaaaaa"] },
    { name: "an odd version is not kept", via: ["x/y holdfast-aaaaaaaa"], hops: ["1.1 holdfast-aaaaaaaa"] },
    {
      name: "what only looks like a pseudonym is dropped",
      via: ["1.1 holdfast-aaaa, 1.1 holdfast-AAAAAAAA, 1.1 xholdfast-aaaaaaaa"],
      hops: [],
    },
  ])("$name", ({ via, hops }) => {
    expect(readVia(via, OURS)).toEqual({ loop: undefined, hops });
  });

  test.for([
    { name: "our own name is a loop", via: [`1.1 ${OURS}`] },
    { name: "our own name behind others is a loop", via: ["1.1 cdn", `1.1 holdfast-aaaaaaaa,1.1\t${OURS} (x)`] },
    { name: "too many instances are a loop", via: ["1.1 holdfast-aaaaaaaa,".repeat(MAX_HOPS)] },
  ])("$name", ({ via }) => {
    expect(readVia(via, OURS).loop).toBeDefined();
  });
});
