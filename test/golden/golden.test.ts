import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import {
  buildRouteGraph,
  type ClusterSnapshot,
  type GraphOptions,
  newGraphCache,
  resolveEndpoints,
} from "../../src/graph/index.ts";
import type { CompiledEntry, Endpoint, HeaderEdits, NameValue } from "../../src/routing/index.ts";
import { diffStatus } from "../../src/status/index.ts";
import { snapshotOf } from "./folder-snapshot.ts";
import { policyText } from "./policy-text.ts";

// A new case is a folder whose name is a sentence, with an in.yaml; `npx vitest run -u` writes its out.yaml. What it
// serves is what a folder serves, unless an options.yaml beside it says otherwise.
const cases = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((file) => file.isDirectory())
  .map((folder) => folder.name)
  .toSorted();

describe("manifests and what they mean", () => {
  test.for(cases.map((folder) => ({ name: folder.replaceAll("-", " "), folder })))("$name", async ({ folder }) => {
    const file = (name: string): string => `${import.meta.dirname}/${folder}/${name}`;
    const snapshot = snapshotOf(readFileSync(file("in.yaml"), "utf8"));
    const out = stringify(meaningOf(snapshot, optionsIn(file("options.yaml"))), { lineWidth: 0 });
    expect(out.split("\n").length, "a case stays short").toBeLessThan(80);
    await expect(out).toMatchFileSnapshot(file("out.yaml"));
  });

  test("there are cases", () => {
    expect(cases.length).toBeGreaterThanOrEqual(12);
  });
});

const FOLDER: GraphOptions = {
  ingressClassName: "holdfast",
  classless: "Ours",
  anyHostNamespaces: "all",
  externalNames: "Follow",
  affinity: "Keyed",
};

/** GraphOptions in YAML: a list of namespaces in place of a set, and null for what is not said. */
interface WrittenOptions {
  readonly ingressClassName?: string | null;
  readonly classless?: GraphOptions["classless"];
  readonly anyHostNamespaces?: readonly string[];
  readonly externalNames?: GraphOptions["externalNames"];
}

function optionsIn(file: string): GraphOptions {
  if (!existsSync(file)) return FOLDER;
  const { ingressClassName, anyHostNamespaces, ...others } = parse(readFileSync(file, "utf8")) as WrittenOptions;
  return {
    ...FOLDER,
    ...others,
    ...(ingressClassName === undefined ? {} : { ingressClassName: ingressClassName ?? undefined }),
    ...(anyHostNamespaces === undefined ? {} : { anyHostNamespaces: new Set(anyHostNamespaces) }),
  };
}

function meaningOf(snapshot: ClusterSnapshot, options: GraphOptions): object {
  const graph = buildRouteGraph(snapshot, options, newGraphCache());
  const sortedHosts = [...graph.hosts].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    status: Object.fromEntries(
      diffStatus(graph, () => undefined).map(({ route, generation, conditions }) => [
        route,
        {
          observedGeneration: generation,
          conditions: conditions.map((c) => `${c.type} ${c.status} ${c.reason} ${c.message}`.trim()),
        },
      ]),
    ),
    hosts: Object.fromEntries(sortedHosts.map(([host, entries]) => [host, entries.map(summaryOf)])),
    endpoints: Object.fromEntries(
      [...graph.upstreams].toSorted().map((key) => [key, resolveEndpoints(snapshot, key, options).map(endpointText)]),
    ),
  };
}

function summaryOf({ match, rule }: CompiledEntry): object {
  const { policy, rewrite } = rule;
  return {
    match: [
      `${match.path.type} ${match.path.value}`,
      ...match.headers.map(({ name, value }) => `header ${name}=${value}`),
      ...match.queryParams.map(({ name, value }) => `query ${name}=${value}`),
      ...(match.subprotocols.length > 0 ? [`subprotocol ${match.subprotocols.join(" or ")}`] : []),
    ].join(", "),
    rule: rule.id,
    backends: rule.backends.map(({ upstream, weight }) => `${upstream} weight ${weight}`),
    ...(rewrite?.path && { rewritePath: `${rewrite.path.type} ${rewrite.path.value}` }),
    ...(rewrite?.host && { rewriteHost: rewrite.host }),
    ...(rule.requestHeaders && { requestHeaders: editsText(rule.requestHeaders) }),
    ...(rule.responseHeaders && { responseHeaders: editsText(rule.responseHeaders) }),
    ...policyText(policy),
  };
}

function editsText({ set, add, remove }: HeaderEdits): string {
  const text = (verb: string, pairs: readonly NameValue[]): string[] =>
    pairs.map(({ name, value }) => `${verb} ${name}=${value}`);
  return [...text("set", set), ...text("add", add), ...remove.map((name) => `remove ${name}`)].join(", ");
}

function endpointText({ address, port, podUid, ready, serving, terminating, zones }: Endpoint): string {
  const words = [
    ready && "ready",
    serving && "serving",
    terminating && "terminating",
    podUid && `pod ${podUid}`,
    zones && `zones ${zones.join(" ")}`,
  ];
  return [`${address} ${port}`, ...words.filter((word) => typeof word === "string")].join(", ");
}
