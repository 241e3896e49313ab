import { describe, expect, test } from "vitest";
import { isHelmMissing, render } from "./chart.ts";

const CASES: readonly { readonly name: string; readonly values: object; readonly says: readonly string[] }[] = [
  { name: "a value that does not exist", values: { replicaCount: 3 }, says: ["additional properties 'replicaCount'"] },
  { name: "a misspelt value in a section", values: { service: { prot: 80 } }, says: ["'/service'", "'prot'"] },
  { name: "a word for a number", values: { replicas: "two" }, says: ["'/replicas': got string, want integer"] },
  { name: "a half Pod", values: { replicas: 1.5 }, says: ["'/replicas': got number, want integer"] },
  { name: "a word for yes", values: { allowExternalName: "true" }, says: ["'/allowExternalName'", "want boolean"] },
  { name: "a path for the socket", values: { adminSocket: "/run/a.sock" }, says: ["'/adminSocket'", "want boolean"] },
  { name: "a section taken away", values: { shutdown: null }, says: ["missing property 'shutdown'"] },
  { name: "an unknown type of Service", values: { service: { type: "Ingress" } }, says: ["one of 'LoadBalancer', 'N"] },
  { name: "a port beyond the last", values: { service: { port: 65536 } }, says: ["'/service/port'", "65,535"] },
  { name: "a namespace that cannot be", values: { watchNamespaces: ["Apps"] }, says: ["'/watchNamespaces/0': 'Apps'"] },
  {
    name: "a namespace twice",
    values: { watchNamespaces: ["a", "a"] },
    says: ["'/watchNamespaces'", "items at 0 and 1"],
  },
  { name: "a name with commas", values: { watchNamespaces: ["a,b"] }, says: ["'/watchNamespaces/0'"] },
  {
    name: "a name too long for a Service",
    values: { fullnameOverride: "a".repeat(64) },
    says: ["'/fullnameOverride'"],
  },
  { name: "a name with a digit first", values: { fullnameOverride: "1a" }, says: ["'/fullnameOverride'"] },
  {
    name: "a number as tag, which loses its zeros",
    values: { image: { tag: 1.1 } },
    says: ["'/image/tag': got number"],
  },
  {
    name: "a key in place of a Secret's name",
    values: { affinityKey: { existingSecret: "c2VjcmV0IG5vdCBhIG5hbWU=" } },
    says: ["'/affinityKey/existingSecret'"],
  },
  { name: "a time without a unit", values: { headerTimeout: "10" }, says: ["'/headerTimeout'"] },
  { name: "a time of nothing", values: { dnsInterval: "0s" }, says: ["'/dnsInterval'"] },
  { name: "a budget that is no quantity", values: { bufferBudget: "64MB" }, says: ["'/bufferBudget'"] },
  { name: "no tunnels at all", values: { maxTunnels: 0 }, says: ["'/maxTunnels'"] },
  { name: "a head beyond what the process takes", values: { maxHeadBytes: 2097152 }, says: ["'/maxHeadBytes'"] },
  { name: "root", values: { runAsUser: 0 }, says: ["'/runAsUser': minimum: got 0, want 1"] },
  { name: "an annotation that is no text", values: { podAnnotations: { a: true } }, says: ["'/podAnnotations/a'"] },
  {
    name: "a level that pino has and Holdfast has not",
    values: { log: { level: "trace" } },
    says: ["'/log/level'", "'debug', 'info', 'warn', 'error'"],
  },
  {
    name: "a grace period that ends before the deadline",
    values: { terminationGracePeriodSeconds: 299 },
    says: ["terminationGracePeriodSeconds: 299 is too short", "+ 5 are 300"],
  },
  {
    name: "a preStop pause that eats the deadline's time",
    values: { shutdown: { preStopSeconds: 30 } },
    says: ["terminationGracePeriodSeconds: 300 is too short", "are 325"],
  },
  {
    name: "a grace that leaves no time for closes",
    values: { shutdown: { deadlineSeconds: 15 } },
    says: [
      "shutdown: graceSeconds, 15, must be less than deadlineSeconds, 15: tunnels are closed in the time between.",
    ],
  },
  {
    name: "a time for the spread of closes, which was a value once",
    values: { shutdown: { spreadSeconds: 240 } },
    says: ["'/shutdown'", "'spreadSeconds'"],
  },
  {
    name: "an account that is neither created nor named",
    values: { serviceAccount: { create: false } },
    says: ["serviceAccount.name: required when serviceAccount.create is false"],
  },
  {
    name: "a node port of a Service that has none",
    values: { service: { type: "ClusterIP", nodePort: 30080 } },
    says: ["service.nodePort: a Service of type ClusterIP has none"],
  },
  {
    name: "a load balancer's class without a load balancer",
    values: { service: { type: "NodePort", loadBalancerClass: "a.example/b" } },
    says: ["service.loadBalancerClass: only for service.type LoadBalancer, not NodePort."],
  },
  {
    name: "an upgrade that could not begin",
    values: { updateStrategy: { maxUnavailable: "0%", maxSurge: 0 } },
    says: ["updateStrategy: maxUnavailable and maxSurge are both 0"],
  },
  {
    name: "all namespaces and one more",
    values: { anyHostNamespaces: ["*", "apps"] },
    says: ['anyHostNamespaces: "*" means all of them and stands alone.'],
  },
  ...["512M", "1G", "536870912", "1Ti", "1e3Mi", "Mi", "-1Gi", " 1Gi"].map((memory) => ({
    name: `a memory limit of "${memory}"`,
    values: { resources: { limits: { memory } } },
    says: [`resources.limits.memory: "${memory}" is not understood; write it in Mi or Gi, such as 512Mi or 1.5Gi.`],
  })),
  {
    name: "a memory limit as a bare number",
    values: { resources: { limits: { memory: 536870912 } } },
    says: ["'/resources/limits/memory'", "want string"],
  },
  {
    name: "a memory limit in which nothing runs",
    values: { resources: { limits: { memory: "255Mi" } } },
    says: ["resources.limits.memory: 255Mi is too little; Holdfast needs 256Mi or more."],
  },
];

describe.skipIf(isHelmMissing).concurrent("the chart refuses, with words,", () => {
  test.for(CASES)("$name", async ({ values, says }) => {
    const refusal = await render({ values }).then(
      () => "nothing: it took them",
      (error: unknown) => String(error),
    );
    for (const words of says) expect(refusal).toContain(words);
  });
});

describe.skipIf(isHelmMissing)("the chart takes", () => {
  test("global values, which Helm gives to the parts of another chart", async () => {
    expect(await render({ values: { global: { region: "eu" } } })).toEqual(await render());
  });
});
