import { z } from "zod";
import { positiveDuration } from "./durations.ts";
import { portNumber } from "./kubernetes-names.ts";
import { celRules, LIST_IS_SET } from "./schema-notes.ts";

const SIGNS = ["DialFailure", "BadAnswer", "EarlyEnd"] as const;

const passive = z
  .strictObject({
    on: z
      .array(z.enum(SIGNS))
      .max(SIGNS.length, { abort: true })
      .meta(LIST_IS_SET)
      .default([...SIGNS])
      .describe(
        "What speaks against a backend. DialFailure: it could not be connected to; one is enough. BadAnswer: a handshake was " +
          "answered with a 101 that is none, with what is not HTTP, or by ending the connection. EarlyEnd: it ended a tunnel " +
          "without a Close within 1s of the 101. An empty list: nothing does, and this rule passes nobody over.",
      ),
    failures: z
      .int()
      .min(1)
      .max(1000)
      .default(5)
      .describe(
        "So many bad answers and early ends within 10s eject a backend, if they are at least as many as its handshakes that " +
          "went well meanwhile.",
      ),
    ejectFor: positiveDuration("1h")
      .default("1s")
      .describe(
        "A backend is passed over so long, twice as long each time it fails again. Then one request tries it, alone.",
      ),
    ejectForAtMost: positiveDuration("24h").default("30s").describe("Where the doubling ends."),
    maxEjectedPercent: z
      .int()
      .min(0)
      .max(100)
      .default(50)
      .describe(
        "Of an upstream's ready backends, how many may be ejected at once for bad answers and early ends. A backend that cannot " +
          "be dialled is passed over however many there are, while there are others.",
      ),
  })
  .meta(
    celRules({
      // The API server tries rules on the empty object that stands for no passive health, before it fills in the rest.
      rule: "!has(self.ejectFor) || !has(self.ejectForAtMost) || duration(self.ejectFor) <= duration(self.ejectForAtMost)",
      message: "must not be longer than ejectForAtMost",
      fieldPath: ".ejectFor",
    }),
  )
  .prefault({})
  .describe("What is learned from the requests and tunnels that go by.");

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
      .describe("With its query, if any. HTTP and WebSocket only. Not set: /.")
      .optional(),
    host: z
      .string()
      .min(1, { abort: true })
      .max(253, { abort: true })
      .regex(/^[A-Za-z0-9]([-A-Za-z0-9.:]*[A-Za-z0-9])?$/, { error: "must be a host name, with a port if need be" })
      .describe("The Host header. HTTP and WebSocket only. Not set: the backend's address and port.")
      .optional(),
    port: portNumber.describe("Not set: the port that tunnels go to.").optional(),
    interval: positiveDuration("1h")
      .default("10s")
      .describe("From one probe to the next, give or take a tenth. Each replica probes for itself."),
    timeout: positiveDuration("1m").default("2s").describe("A probe that takes longer has failed."),
    unhealthyAfter: z.int().min(1).max(100).default(3).describe("Failures in a row that take a backend out."),
    healthyAfter: z.int().min(1).max(100).default(2).describe("Successes in a row that bring it back."),
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
  .describe("Probes of our own, beside those of the kubelet. Not set: none.");

export const health = z
  .strictObject({
    panicPercent: z
      .int()
      .min(0)
      .max(100)
      .default(30)
      .describe(
        "When fewer than so many percent of an upstream's ready backends are well, by both kinds of health, it is more likely that " +
          "we are wrong than that they are: all but those that cannot be dialled are used.",
      ),
    passive,
    active: active.optional(),
  })
  .prefault({})
  .describe("Which backends are passed over although Kubernetes says that they are ready.");
