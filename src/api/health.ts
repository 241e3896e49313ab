import { z } from "zod";
import { durationBetween, positiveDuration } from "./durations.ts";
import { hostHeader } from "./hostnames.ts";
import { portNumber } from "./kubernetes-names.ts";
import { numberBetween } from "./limits.ts";
import { type CelRule, celRules, LIST_IS_SET } from "./schema-notes.ts";

const SIGNS = ["DialFailure", "BadAnswer", "EarlyEnd"] as const;
const LONGEST_EJECTION = "30s";

function percent(usual: number): z.ZodDefault<z.ZodNumberFormat> {
  return numberBetween(0, 100).default(usual);
}

const passive = z
  .strictObject({
    signs: z
      .array(z.enum(SIGNS).describe("One of them."))
      .max(SIGNS.length, { abort: true })
      .meta(LIST_IS_SET)
      .default([...SIGNS])
      .describe(
        "What speaks against a backend. DialFailure: it could not be connected to; one is enough. BadAnswer: it answered a " +
          "handshake with a 101 that is none, with what is not HTTP, or by ending the connection. EarlyEnd: it ended a tunnel " +
          "without a Close within 1s of the 101. Empty: nothing does, and this rule passes over nobody whom others ejected.",
      ),
    failures: numberBetween(1, 1000)
      .default(5)
      .describe(
        "This many bad answers and early ends within 10s eject a backend, unless more of its handshakes went well in that time.",
      ),
    ejectFor: positiveDuration("1h")
      .default("1s")
      .describe(
        "How long a backend is passed over, twice as long each time it fails again. Then one request tries it, alone.",
      ),
    ejectForAtMost: positiveDuration("24h").default(LONGEST_EJECTION).describe("Where the doubling ends."),
    maxEjectedPercent: percent(50).describe(
      "Of an upstream's ready backends, how many may be ejected at once for bad answers and early ends. One that cannot be " +
        "connected to is passed over however many there are, while there are others.",
    ),
  })
  .meta(
    celRules({
      // The API server tries rules on the empty object that stands for no passive health, before it fills in the rest.
      rule: "!has(self.ejectFor) || !has(self.ejectForAtMost) || duration(self.ejectFor) <= duration(self.ejectForAtMost)",
      message: `must not be longer than ejectForAtMost, which is ${LONGEST_EJECTION} where it is not set`,
      fieldPath: ".ejectFor",
    }),
  )
  .prefault({})
  .describe(
    "What is learned from the handshakes and tunnels of the rule. An ejected backend is passed over by all rules that lead to it.",
  );

const active = z
  .strictObject({
    type: z
      .enum(["TCP", "HTTP", "WebSocket"])
      .describe(
        "TCP: the port accepts. HTTP: a GET is answered with 200 to 399. WebSocket: a handshake is answered with 101, and a Ping " +
          "with its Pong.",
      ),
    path: z
      .string()
      .max(1024, { abort: true })
      .regex(/^\/[!-"$-~]*$/, { error: "must begin with / and hold visible ASCII characters without '#'" })
      .describe("What is asked for, with its query, if any. HTTP and WebSocket only. Not set: /.")
      .optional(),
    host: hostHeader
      .describe(
        "What the backend reads in Host. HTTP and WebSocket only. Not set: the address and port that are probed.",
      )
      .optional(),
    port: portNumber
      .describe(
        "The backend's port that is probed; only without `namespace` in the rule's backendRefs. Not set: the one that tunnels go to.",
      )
      .optional(),
    // As often as a kubelet at most: a tenant's rule shall not keep the replicas busy.
    interval: durationBetween("1s", "1h")
      .default("10s")
      .describe("From one probe of a backend to the next, give or take a tenth. Each replica probes for itself."),
    timeout: positiveDuration("1m").default("2s").describe("A probe that takes longer has failed."),
    unhealthyAfter: numberBetween(1, 100)
      .default(3)
      .describe("After so many failures in a row a backend is passed over."),
    healthyAfter: numberBetween(1, 100).default(2).describe("After so many successes in a row it is used again."),
  })
  .meta(
    celRules(
      {
        rule: "self.type != 'TCP' || !has(self.path)",
        message: "TCP asks for no path: leave it out, or set type to HTTP or WebSocket",
        fieldPath: ".path",
      },
      {
        rule: "self.type != 'TCP' || !has(self.host)",
        message: "TCP names no host: leave it out, or set type to HTTP or WebSocket",
        fieldPath: ".host",
      },
    ),
  )
  .describe(
    "Probes of our own, beside the kubelet's. A backend that was not probed yet is taken to be well. Rules that ask for the same " +
      "share their probes. Not set: none.",
  );

export const health = z
  .strictObject({
    panicPercent: percent(30).describe(
      "When a smaller share of an upstream's ready backends is well, by both kinds of health, it is more likely that we are " +
        "wrong than that they are: all are used but those that cannot be connected to. 0: when none is well.",
    ),
    passive,
    active: active.optional(),
  })
  .prefault({})
  .describe("Which backends are passed over although Kubernetes says that they are ready.");

/** Whoever was granted one port of another namespace's Pods was not granted the others. */
export const probePortIsOwn: CelRule = {
  rule:
    "!has(self.health) || !has(self.health.active) || !has(self.health.active.port) || " +
    "self.backendRefs.all(b, !has(b.namespace))",
  message: "another port is for backendRefs of the route's own namespace: leave port out, or their namespace",
  fieldPath: ".health.active.port",
};
