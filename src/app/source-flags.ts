import { hostname } from "node:os";
import type { Command, Option } from "commander";
import { flag, missingFlag } from "./cli-flags.ts";
import type { SourceConfig, SourceRules } from "./config.ts";
import {
  FlagValueError,
  parseClassName,
  parseNamespaces,
  parseObjectName,
  parsePositiveDuration,
  parseZone,
} from "./flag-values.ts";

/** What a folder or a list of backends serves: everything in it. */
export const FOLDER_RULES: Omit<SourceRules, "source"> = {
  ingressClass: "holdfast",
  anyHostNamespaces: "all",
  allowExternalName: true,
  zone: undefined,
  affinityKey: undefined,
};

/** The names of the flags that one source alone knows, as commander keeps their values. */
const FILES_ONLY = ["dir"] as const;
const KUBERNETES_ONLY = [
  "kubeconfig",
  "namespace",
  "anyHostNamespaces",
  "allowExternalName",
  "leaseName",
  "leaseNamespace",
  "identity",
  "watchSilence",
] as const;

/** The flags of `serve` that say where routes and endpoints come from. */
export function sourceFlags(): readonly Option[] {
  return [
    flag("--source <kind>", "where routes and endpoints come from; required", { choices: ["files", "kubernetes"] }),
    flag("--dir <folder>", "source files: the folder of YAML or JSON manifests, watched; required", {
      parse: parsePath,
    }),
    flag(
      "--ingress-class <name>",
      "serve routes of this ingressClassName (default: holdfast; with source kubernetes and without --namespace every " +
        "IngressClass with the controller holdfast.dev/ingress)",
      { parse: parseClassName },
    ),
    flag("--namespace <names>", "source kubernetes: watch these namespaces only; commas between them", {
      parse: (text: string) => parseNamespaces(text),
    }),
    flag("--any-host-namespaces <names>", "source kubernetes: whose routes may be without hostnames; * for all", {
      parse: (text: string) => (text === "*" ? "all" : parseNamespaces(text)),
    }),
    flag("--allow-external-name [choice]", "source kubernetes: follow Services of type ExternalName", {
      choices: ["yes", "no"],
      fallback: "no",
    }).preset("yes"),
    flag("--zone <name>", "the zone of this process, for endpoints that say for whom they are meant (default: none)", {
      parse: parseZone,
    }),
    flag(
      "--affinity-key <path>",
      "what affinity cookies are made with, the same for all replicas: a file, or a folder with the files current and, for " +
        "rotation, previous; 32 bytes or more each, read again every 5s (default: nobody is bound)",
      { parse: parsePath },
    ),
    flag("--kubeconfig <file>", "source kubernetes: credentials (default: in-cluster, then KUBECONFIG)", {
      parse: parsePath,
    }),
    flag("--lease-name <name>", "source kubernetes: Lease object of the replica that writes statuses", {
      parse: parseObjectName,
      fallback: "holdfast",
    }),
    flag("--lease-namespace <name>", "source kubernetes: its namespace (default: that of the credentials)", {
      parse: parseObjectName,
    }),
    flag("--identity <name>", "source kubernetes: this replica's name in it (default: the host's name)", {
      parse: parseObjectName,
    }),
    flag("--watch-silence <duration>", "source kubernetes: a watch without a byte for so long is opened again", {
      parse: parsePositiveDuration,
      fallback: "90s",
    }),
  ];
}

interface SourceValues {
  readonly source?: "files" | "kubernetes";
  readonly dir?: string;
  readonly ingressClass?: string;
  readonly namespace?: readonly string[];
  readonly anyHostNamespaces?: readonly string[] | "all";
  readonly allowExternalName: "yes" | "no";
  readonly zone?: string | undefined;
  readonly affinityKey?: string;
  readonly kubeconfig?: string;
  readonly leaseName: string;
  readonly leaseNamespace?: string;
  readonly identity?: string;
  readonly watchSilence: number;
}

/** What these flags say; ends the command when one is missing, or is given for a source that does not know it. */
export function sourceConfig(command: Command): SourceRules {
  const values = command.opts<SourceValues>();
  if (values.source === undefined) return missingFlag(command, "--source", "Allowed are files and kubernetes.");
  refuseStrangers(command, values.source);
  return values.source === "files" ? folderRules(command, values) : kubernetesRules(values);
}

function folderRules(command: Command, { dir, ingressClass, zone, affinityKey }: SourceValues): SourceRules {
  if (dir === undefined) return missingFlag(command, "--dir", "Allowed is the path of a folder.");
  const source: SourceConfig = { kind: "files", dir };
  return { ...FOLDER_RULES, source, zone, affinityKey, ...(ingressClass !== undefined && { ingressClass }) };
}

function kubernetesRules(values: SourceValues): SourceRules {
  return {
    source: {
      kind: "kubernetes",
      kubeconfig: values.kubeconfig,
      namespaces: values.namespace ?? [],
      leaseName: values.leaseName,
      leaseNamespace: values.leaseNamespace,
      identity: values.identity ?? hostname(),
      watchSilenceMs: values.watchSilence,
    },
    // Without the right to read IngressClasses, only a name says which routes are meant.
    ingressClass: values.ingressClass ?? (values.namespace === undefined ? undefined : FOLDER_RULES.ingressClass),
    anyHostNamespaces: values.anyHostNamespaces ?? [],
    allowExternalName: values.allowExternalName === "yes",
    zone: values.zone,
    affinityKey: values.affinityKey,
  };
}

/** A flag that would do nothing is a misunderstanding. A variable may stand in a shared environment, so it may stay. */
function refuseStrangers(command: Command, source: "files" | "kubernetes"): void {
  const strangers = source === "files" ? KUBERNETES_ONLY : FILES_ONLY;
  for (const name of strangers) {
    if (command.getOptionValueSource(name) !== "cli") continue;
    const written = command.options.find((option) => option.attributeName() === name)?.long ?? name;
    command.error(`error: ${written} says nothing with --source ${source}.`);
  }
}

/** A path of a file or folder. */
function parsePath(text: string): string {
  if (text === "") throw new FlagValueError("Allowed is a path.");
  return text;
}
