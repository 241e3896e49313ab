/** One way to install the chart. */
export interface ChartShape {
  /** Also the name of the golden file. */
  readonly name: string;
  readonly release: string;
  readonly namespace: string;
  readonly values: object;
}

/** 53 characters, the longest that Helm takes; not a DNS label, so nothing may be called so. */
const LONG_RELEASE = "0.a-release-with-dots.and-the-longest-name.helm-takes";

/** The installations that goldens, lint and the API server's dry run go through. */
export const SHAPES: readonly ChartShape[] = [
  { name: "default", release: "holdfast", namespace: "ingress", values: {} },
  {
    name: "watch-namespaces",
    release: "edge",
    namespace: "ingress",
    values: {
      watchNamespaces: ["apps", "ingress"],
      anyHostNamespaces: ["apps"],
      crds: { install: false },
      ingressClass: { create: false, name: "team-edge" },
    },
  },
  {
    name: "odd-names",
    release: LONG_RELEASE,
    // YAML would read it as a number.
    namespace: "1e3",
    values: {
      watchNamespaces: ["1e3", "0x10", "null", "y".repeat(63)],
      ingressClass: { name: "true" },
      priorityClassName: "null",
      serviceAccount: { name: "12.5" },
      podLabels: { "app.kubernetes.io/instance": "not-this", numeric: "1" },
      service: { loadBalancerClass: "off" },
      affinityKey: { existingSecret: "0123" },
    },
  },
  {
    name: "everything-on",
    release: "edge",
    namespace: "ingress",
    values: {
      replicas: 5,
      image: {
        repository: "images.example.com/edge/holdfast",
        digest: `sha256:${"0a".repeat(32)}`,
        pullPolicy: "Always",
      },
      imagePullSecrets: [{ name: "my-registry" }],
      fullnameOverride: "front-door",
      anyHostNamespaces: ["*"],
      allowExternalName: true,
      affinityKey: { existingSecret: "front-door-affinity" },
      ingressClass: { name: "sockets", default: true },
      serviceAccount: { name: "front-door-account", annotations: { "example.com/role": "edge" } },
      service: {
        port: 8000,
        nodePort: 30123,
        externalTrafficPolicy: "Cluster",
        loadBalancerClass: "example.com/lb",
        annotations: { "example.com/idle-timeout": "4000" },
        labels: { "example.com/exposed": "yes", "app.kubernetes.io/name": "not-this" },
      },
      shutdown: { preStopSeconds: 10, graceSeconds: 30, deadlineSeconds: 560 },
      terminationGracePeriodSeconds: 600,
      log: { level: "debug" },
      headerTimeout: "1m30s",
      maxHeadBytes: 1048576,
      bufferBudget: "1.5Gi",
      maxTunnels: 100000,
      dnsInterval: "30s",
      extraArgs: ["--watch-silence=2m"],
      extraEnv: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=600" }],
      resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { memory: "1.5Gi" } },
      readinessProbe: { periodSeconds: 2 },
      livenessProbe: { enabled: true },
      updateStrategy: { maxUnavailable: "25%", maxSurge: "50%" },
      minReadySeconds: 60,
      podDisruptionBudget: { maxUnavailable: "20%" },
      topologySpread: { zone: "DoNotSchedule" },
      runAsUser: 1000680000,
      podLabels: { team: "edge" },
      podAnnotations: { "example.com/scrape": "true" },
      priorityClassName: "system-cluster-critical",
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ key: "edge", operator: "Exists", effect: "NoSchedule" }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: "example.com/edge", operator: "Exists" }] }],
          },
        },
      },
    },
  },
  {
    name: "everything-off",
    release: "holdfast-small",
    namespace: "ingress",
    values: {
      replicas: 1,
      crds: { install: false },
      ingressClass: { create: false },
      serviceAccount: { create: false, name: "mine" },
      service: { type: "ClusterIP" },
      shutdown: { preStopSeconds: 0 },
      adminSocket: false,
      resources: { limits: null },
      podDisruptionBudget: { enabled: false },
      topologySpread: { hostname: "None", zone: "None" },
      runAsUser: null,
    },
  },
  {
    name: "node-port",
    release: "holdfast",
    namespace: "ingress",
    values: { service: { type: "NodePort", nodePort: 30080 } },
  },
];
