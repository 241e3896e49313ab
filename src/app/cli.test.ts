import { afterEach, expect, test, vi } from "vitest";
import { type CliResult, parseCli, WRONG_USAGE } from "./cli.ts";
import type { Config } from "./config.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

function cli(line: string): { result: CliResult; out: string; err: string } {
  let out = "";
  let err = "";
  const args = line === "" ? [] : line.split(" ");
  const result = parseCli(args, "1.2.3", { out: (text) => (out += text), err: (text) => (err += text) });
  return { result, out, err };
}

function configOf(line: string): Config {
  const { result, err } = cli(line);
  if (result.kind !== "run") throw new Error(`refused: ${err}`);
  return result.config;
}

test("serve says where manifests are and where to listen", () => {
  const line = "serve --source files --dir ./manifests --http 127.0.0.1:8020 --admin 127.0.0.1:9090";
  expect(configOf(line)).toEqual({
    version: "1.2.3",
    source: { kind: "files", dir: "./manifests" },
    ingressClass: "holdfast",
    anyHostNamespaces: "all",
    allowExternalName: true,
    http: { host: "127.0.0.1", port: 8020 },
    admin: { host: "127.0.0.1", port: 9090 },
    adminSocket: undefined,
    logLevel: "info",
    logFormat: "auto",
    headerTimeoutMs: 10_000,
    maxHeadBytes: 32_768,
    bufferBudgetBytes: undefined,
    maxTunnels: undefined,
    dnsIntervalMs: 5_000,
    shutdown: { graceMs: 15_000, deadlineMs: 25_000 },
  });
});

test.for(["--source files --dir ./manifests", "--source kubernetes"])("serve %s takes a key for affinity", (source) => {
  expect(configOf(`serve ${source}`).affinityKey).toBeUndefined();
  expect(configOf(`serve ${source} --affinity-key ./key`).affinityKey).toBe("./key");
  vi.stubEnv("HOLDFAST_AFFINITY_KEY", "./keys");
  expect(configOf(`serve ${source}`).affinityKey).toBe("./keys");
});

test("serve from a cluster restricts nothing unless told", () => {
  const config = configOf("serve --source kubernetes --identity pod-1");
  expect(config).toMatchObject({
    source: {
      kind: "kubernetes",
      kubeconfig: undefined,
      namespaces: [],
      leaseName: "holdfast",
      leaseNamespace: undefined,
      identity: "pod-1",
      watchSilenceMs: 90_000,
    },
    ingressClass: undefined,
    anyHostNamespaces: [],
    allowExternalName: false,
  });
});

test("serve from a cluster takes lists of namespaces, a class and a lease", () => {
  const line =
    "serve --source kubernetes --namespace apps,games --any-host-namespaces * --allow-external-name " +
    "--ingress-class edge --lease-name edge --lease-namespace infra --kubeconfig ./config";
  expect(configOf(line)).toMatchObject({
    source: {
      namespaces: ["apps", "games"],
      leaseName: "edge",
      leaseNamespace: "infra",
      kubeconfig: "./config",
    },
    ingressClass: "edge",
    anyHostNamespaces: "all",
    allowExternalName: true,
  });
});

test("serve from some namespaces, where IngressClasses cannot be read, goes by the usual name", () => {
  expect(configOf("serve --source kubernetes --namespace apps").ingressClass).toBe("holdfast");
});

test("ExternalName Services stay off when their variable says no", () => {
  vi.stubEnv("HOLDFAST_ALLOW_EXTERNAL_NAME", "no");
  expect(configOf("serve --source kubernetes").allowExternalName).toBe(false);
});

test("a variable for a cluster does not disturb a folder", () => {
  vi.stubEnv("HOLDFAST_NAMESPACE", "apps");
  expect(configOf("serve --source files --dir x").source).toEqual({ kind: "files", dir: "x" });
});

test("proxy takes several backends, a path and a rewrite, and has no admin port unless told", () => {
  const config = configOf("proxy --to 127.0.0.1:8010 --to localhost:8011 --path /wsapp/ --rewrite /");
  expect(config.source).toEqual({
    kind: "proxy",
    to: [
      { host: "127.0.0.1", port: 8010 },
      { host: "localhost", port: 8011 },
    ],
    path: "/wsapp/",
    rewrite: "/",
  });
  expect(config.http).toEqual({ host: "127.0.0.1", port: 8020 });
  expect(config.admin).toBe("off");
});

test.for([
  { name: "an address", set: ["HTTP", ":8443"], of: (c: Config) => c.http, want: { host: undefined, port: 8443 } },
  { name: "a duration", set: ["SHUTDOWN_GRACE", "3s"], of: (c: Config) => c.shutdown.graceMs, want: 3_000 },
  { name: "a word", set: ["LOG_LEVEL", "debug"], of: (c: Config) => c.logLevel, want: "debug" },
  { name: "a number", set: ["MAX_HEAD_BYTES", "4096"], of: (c: Config) => c.maxHeadBytes, want: 4_096 },
] as const)("$name may come from the environment", ({ set: [variable, value], of, want }) => {
  vi.stubEnv(`HOLDFAST_${variable}`, value);
  expect(of(configOf("proxy --to 127.0.0.1:1"))).toEqual(want);
});

test("required flags and several backends may come from the environment", () => {
  vi.stubEnv("HOLDFAST_TO", "127.0.0.1:1, 127.0.0.1:2");
  expect(configOf("proxy").source).toMatchObject({ to: [{ port: 1 }, { port: 2 }] });
});

test("bounds of the process may be said in numbers", () => {
  const line = "proxy --to 127.0.0.1:1 --buffer-budget 256Mi --max-tunnels 9000";
  expect(configOf(line)).toMatchObject({ bufferBudgetBytes: 268_435_456, maxTunnels: 9_000 });
});

test("a second between the grace and the deadline is enough", () => {
  const line = "proxy --to 127.0.0.1:1 --shutdown-grace 0s --shutdown-deadline 1s";
  expect(configOf(line).shutdown).toEqual({ graceMs: 0, deadlineMs: 1_000 });
});

test("a flag is stronger than its variable", () => {
  vi.stubEnv("HOLDFAST_LOG_LEVEL", "debug");
  vi.stubEnv("HOLDFAST_TO", "127.0.0.1:1");
  const config = configOf("proxy --to 127.0.0.1:2 --log-level warn");
  expect(config.logLevel).toBe("warn");
  expect(config.source).toMatchObject({ to: [{ port: 2 }] });
});

test.for([
  { name: "no command shows the commands", line: "", says: /Commands:[\s\S]*serve[\s\S]*proxy/ },
  { name: "an unknown command gets a suggestion", line: "serv", says: /Did you mean serve\?/ },
  { name: "an unknown flag gets a suggestion", line: "serve --sorce files --dir x", says: /Did you mean --source\?/ },
  {
    name: "an unknown source is told the allowed ones",
    line: "serve --source git --dir x",
    says: /Allowed choices are files, kubernetes/,
  },
  {
    name: "a missing source is named",
    line: "serve --dir x",
    says: /--source is required. Allowed are files and kubernetes/,
  },
  { name: "a missing folder is named", line: "serve --source files", says: /--dir is required/ },
  {
    name: "a folder for a cluster is refused",
    line: "serve --source kubernetes --dir x",
    says: /--dir says nothing with --source kubernetes/,
  },
  {
    name: "a namespace for a folder is refused",
    line: "serve --source files --dir x --namespace apps",
    says: /--namespace says nothing with --source files/,
  },
  {
    name: "a wrong namespace is told what is allowed",
    line: "serve --source kubernetes --namespace Apps",
    says: /Allowed are names of namespaces/,
  },
  { name: "a missing backend is named", line: "proxy", says: /--to is required. Allowed are address:port/ },
  {
    name: "a wrong backend is told the allowed forms",
    line: "proxy --to 8010",
    says: /--to .*'8010' is invalid. Allowed are/,
  },
  {
    name: "a wrong level is told the allowed ones",
    line: "proxy --to a:1 --log-level loud",
    says: /debug, info, warn, error/,
  },
  {
    name: "a wrong budget is told the allowed forms",
    line: "proxy --to a:1 --buffer-budget 1MB",
    says: /--buffer-budget .*'1MB' is invalid. Allowed are bytes, or quantities such as 256Mi/,
  },
  {
    name: "no tunnels at all are refused",
    line: "proxy --to a:1 --max-tunnels 0",
    says: /--max-tunnels .*Allowed are whole numbers from 1 to/,
  },
  { name: "a wrong admin address is told that off is allowed", line: "proxy --to a:1 --admin on", says: /Or off\./ },
  { name: "a superfluous word is refused", line: "proxy --to a:1 b:2", says: /too many arguments/ },
  {
    name: "a grace beyond the deadline is refused",
    line: "proxy --to a:1 --shutdown-deadline 10s",
    says: /--shutdown-grace \(15000ms\) must be shorter than --shutdown-deadline \(10000ms\) by 1000ms or more/,
  },
  {
    name: "a grace that leaves less than a second until the deadline is told what to do",
    line: "proxy --to a:1 --shutdown-grace 9001ms --shutdown-deadline 10s",
    says: /Make it shorter, or the deadline longer\./,
  },
  {
    name: "a time for the spread of closes, which is no flag any more, is refused",
    line: "proxy --to a:1 --shutdown-spread 5s",
    says: /unknown option '--shutdown-spread'/,
  },
  {
    name: "too many backends are refused",
    line: `proxy --to ${Array.from({ length: 16 }, () => "a:1").join(",")}`,
    says: /up to 15/,
  },
])("$name", ({ line, says }) => {
  const { result, err } = cli(line);
  expect(result).toEqual({ kind: "exit", exitCode: WRONG_USAGE });
  expect(err).toMatch(says);
});

test("a wrong value from the environment names the variable", () => {
  vi.stubEnv("HOLDFAST_HTTP", "nowhere");
  const { result, err } = cli("proxy --to 127.0.0.1:1");
  expect(result).toEqual({ kind: "exit", exitCode: WRONG_USAGE });
  expect(err).toContain("'HOLDFAST_HTTP'");
});

test.for(["serve", "proxy"])("the help of %s documents every flag with its variable and default", (command) => {
  const { result, out } = cli(`${command} --help`);
  expect(result).toEqual({ kind: "exit", exitCode: 0 });
  const help = out.replaceAll(/\s+/g, " ");
  const flags = [...help.matchAll(/--([a-z-]+) [<[]/g)].map(([, flag]) => flag ?? "");
  expect(flags).toContain("shutdown-deadline");
  for (const flag of flags) expect(help).toContain(`env: HOLDFAST_${flag.toUpperCase().replaceAll("-", "_")}`);
  expect(help).toContain("(default: 127.0.0.1:8020, env: HOLDFAST_HTTP)");
});

test("the version is printed", () => {
  expect(cli("--version")).toEqual({ result: { kind: "exit", exitCode: 0 }, out: "holdfast 1.2.3\n", err: "" });
});
