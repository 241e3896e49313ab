import { accepts, acceptsEach, cel, type RouteCase, refuses, refusesEach, shape, withRule } from "./build.ts";

const AT = "spec.rules[0].loadBalancing";
const NAME = `${AT}.hashOn.name`;
const NAMED = ["Header", "Cookie", "QueryParam"] as const;
const FOR_HASH = "hashOn is for ConsistentHash: set `algorithm` to it, or leave hashOn out";
const NEEDS_HASH = "ConsistentHash needs hashOn: say what of a request the backend is chosen by";
const NO_NAME = "set the name of the header, cookie or query parameter to hash on";
const TOKEN = "the name of a header or cookie must be letters, digits and any of -!#$%&'*+.^_`|~";

const withBalancing = (loadBalancing: object) => withRule({ loadBalancing });
const hashing = (hashOn: object) => withBalancing({ algorithm: "ConsistentHash", hashOn });

/** What may be said of the choice among backends. */
export const LOAD_BALANCING_CASES: readonly RouteCase[] = [
  accepts("an empty loadBalancing", withBalancing({})),
  ...acceptsEach(["LeastTunnels", "RoundRobin", "Random"], "the algorithm", (algorithm) =>
    withBalancing({ algorithm }),
  ),
  ...refusesEach(
    ["leastTunnels", "LeastConnections", ""],
    "the algorithm",
    (algorithm) => withBalancing({ algorithm }),
    shape(`${AT}.algorithm`, 'must be "LeastTunnels" or "RoundRobin" or "Random" or "ConsistentHash"'),
  ),
  accepts("a hash on the client's address", hashing({ type: "ClientIP" })),
  ...NAMED.flatMap((type) => [
    accepts(`a hash on a ${type}`, hashing({ type, name: "X-Room.1_a~" })),
    refuses(`a hash on a ${type} without a name`, hashing({ type }), cel(NAME, NO_NAME)),
    refuses(
      `a hash on a ${type} with an empty name`,
      hashing({ type, name: "" }),
      shape(NAME, "must have at least 1 character"),
    ),
    refuses(
      `a hash on a ${type} with a control character in its name`,
      hashing({ type, name: "a\nb" }),
      shape(NAME, "must not hold control characters"),
    ),
    accepts(`a hash on a ${type} with the longest name`, hashing({ type, name: "a".repeat(256) })),
    refuses(
      `a hash on a ${type} with a name that is too long`,
      hashing({ type, name: "a".repeat(257) }),
      shape(NAME, "must have at most 256 characters"),
    ),
  ]),
  refuses(
    "a hash on the client's address with a name",
    hashing({ type: "ClientIP", name: "a" }),
    cel(NAME, "ClientIP has no name: leave it out"),
  ),
  ...acceptsEach(["room name", "r[0]", "b\u00e5", "a=b"], "the query parameter", (name) =>
    hashing({ type: "QueryParam", name }),
  ),
  ...["room name", "a=b", "a;b", "b\u00e5", 'a"b'].flatMap((name) =>
    ["Header", "Cookie"].map((type) => refuses(`the ${type} ${name}`, hashing({ type, name }), cel(NAME, TOKEN))),
  ),
  accepts("every character of a header's name", hashing({ type: "Header", name: "-!#$%&'*+.^_`|~09azAZ" })),
  refuses(
    "an unknown thing to hash on",
    hashing({ type: "Path", name: "a" }),
    shape(`${AT}.hashOn.type`, 'must be "ClientIP" or "Header" or "Cookie" or "QueryParam"'),
  ),
  refuses("a hashOn without a type", hashing({ name: "a" }), shape(`${AT}.hashOn.type`, "is required")),
  refuses(
    "ConsistentHash without hashOn",
    withBalancing({ algorithm: "ConsistentHash" }),
    cel(`${AT}.hashOn`, NEEDS_HASH),
  ),
  refuses(
    "hashOn without an algorithm",
    withBalancing({ hashOn: { type: "ClientIP" } }),
    cel(`${AT}.hashOn`, FOR_HASH),
  ),
  ...["LeastTunnels", "RoundRobin", "Random"].map((algorithm) =>
    refuses(
      `hashOn with ${algorithm}`,
      withBalancing({ algorithm, hashOn: { type: "ClientIP" } }),
      cel(`${AT}.hashOn`, FOR_HASH),
    ),
  ),
];
