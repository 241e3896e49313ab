import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { KubeConfig, loadYaml } from "@kubernetes/client-node";
import { isRecord } from "./answers.ts";

/** Where credentials are read from. */
export type CredentialPlace =
  | { readonly kind: "cluster"; readonly server: string; readonly folder: string }
  | { readonly kind: "kubeconfig"; readonly files: readonly string[] };

/** What was read there, and who it says we are. */
export interface CredentialFiles {
  /** Equal texts mean equal files; the files that a kubeconfig names for its certificates are not among them. */
  readonly text: string;
  toConfig(): KubeConfig;
}

type Env = Readonly<Record<string, string | undefined>>;

/** As the kubelet mounts it into every pod. */
export const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Chooses as kubectl and other controllers do: the file named, KUBECONFIG (a list with colons), the pod's ServiceAccount,
 * `~/.kube/config`. Rejects with words when there is none of them.
 */
export async function findCredentials(options: {
  readonly kubeconfig: string | undefined;
  readonly env: Env;
  readonly serviceAccountFolder: string;
}): Promise<CredentialPlace> {
  const { kubeconfig, env, serviceAccountFolder: folder } = options;
  if (kubeconfig !== undefined) return { kind: "kubeconfig", files: [kubeconfig] };
  const listed = (env["KUBECONFIG"] ?? "").split(":").filter((file) => file !== "");
  if (listed.length > 0) return { kind: "kubeconfig", files: listed };
  const host = env["KUBERNETES_SERVICE_HOST"];
  if (host !== undefined && host !== "" && (await textOf(`${folder}/token`)) !== undefined) {
    const server = `https://${isIPv6(host) ? `[${host}]` : host}:${env["KUBERNETES_SERVICE_PORT"] ?? "443"}`;
    return { kind: "cluster", server, folder };
  }
  const home = `${env["HOME"] ?? ""}/.kube/config`;
  if ((await textOf(home)) !== undefined) return { kind: "kubeconfig", files: [home] };
  throw new Error(
    "no credentials for the Kubernetes API were found: name a kubeconfig file by --kubeconfig or KUBECONFIG, " +
      `or run in a pod with a ServiceAccount's token (${folder}/token); ${home} does not exist either`,
  );
}

/** Reads what is there now. Rejects with words. */
export function readCredentials(place: CredentialPlace): Promise<CredentialFiles> {
  return place.kind === "cluster" ? readServiceAccount(place) : readKubeconfigs(place.files);
}

async function readServiceAccount({
  server,
  folder,
}: Extract<CredentialPlace, { kind: "cluster" }>): Promise<CredentialFiles> {
  const [token, namespace] = await Promise.all([textOf(`${folder}/token`), textOf(`${folder}/namespace`)]);
  if (token === undefined || token.trim() === "") throw new Error(`${folder}/token cannot be read or is empty`);
  const context = { name: "pod", cluster: "pod", user: "pod", namespace: namespace?.trim() ?? "" };
  return {
    text: JSON.stringify([token, context]),
    toConfig: () => {
      const config = new KubeConfig();
      config.loadFromOptions({
        clusters: [{ name: "pod", server, caFile: `${folder}/ca.crt`, skipTLSVerify: false }],
        users: [{ name: "pod", token }],
        contexts: [context],
        currentContext: "pod",
      });
      return config;
    },
  };
}

async function readKubeconfigs(files: readonly string[]): Promise<CredentialFiles> {
  const texts = await Promise.all(files.map(textOf));
  const found = files.flatMap((file, index) => {
    const text = texts[index];
    return text === undefined ? [] : [{ file, text }];
  });
  if (found.length === 0) throw new Error(`the kubeconfig ${files.join(", ")} does not exist or cannot be read`);
  const tokens = await readTokenFiles(found);
  return {
    text: JSON.stringify([found, [...tokens]]),
    toConfig: () => merge(found.map(parseKubeconfig), tokens),
  };
}

interface KubeconfigFile {
  readonly file: string;
  readonly text: string;
}

function parseKubeconfig({ file, text }: KubeconfigFile): KubeConfig {
  const config = new KubeConfig();
  try {
    if (!isRecord(loadYaml(text))) throw new Error("it is no YAML object");
    config.loadFromString(text);
  } catch (error) {
    throw new Error(`${file} is no kubeconfig: ${wordsOf(error)}`, { cause: error });
  }
  config.makePathsAbsolute(folderOf(file));
  return config;
}

/** The first file that says something wins, as in kubectl. */
function merge(configs: readonly KubeConfig[], tokens: ReadonlyMap<string, string>): KubeConfig {
  const merged = new KubeConfig();
  const users = firstOfEachName(configs.flatMap((config) => config.getUsers()));
  merged.loadFromOptions({
    // Whoever names a server without TLS means it: `kubectl proxy` is one.
    clusters: firstOfEachName(configs.flatMap((config) => config.getClusters())).map((cluster) =>
      cluster.server.startsWith("http:") ? { ...cluster, skipTLSVerify: true } : cluster,
    ),
    users: users.map((user) => ({ ...user, token: tokens.get(user.name) ?? user.token })),
    contexts: firstOfEachName(configs.flatMap((config) => config.getContexts())),
    currentContext: configs.map((config) => config.getCurrentContext()).find((name) => name),
  });
  return merged;
}

function firstOfEachName<Named extends { readonly name: string }>(items: readonly Named[]): readonly Named[] {
  return items.filter((item, index) => items.findIndex(({ name }) => name === item.name) === index);
}

/** `tokenFile` of users, by their name, which the library does not read. */
async function readTokenFiles(kubeconfigs: readonly KubeconfigFile[]): Promise<ReadonlyMap<string, string>> {
  const tokens = new Map<string, string>();
  for (const { file, text } of kubeconfigs) {
    for (const [name, path] of tokenFilesOf(text)) {
      const token = await textOf(path.startsWith("/") ? path : `${folderOf(file)}/${path}`);
      if (token !== undefined && !tokens.has(name)) tokens.set(name, token);
    }
  }
  return tokens;
}

function tokenFilesOf(text: string): readonly (readonly [string, string])[] {
  try {
    const config: unknown = loadYaml(text);
    const users: unknown = isRecord(config) ? config["users"] : undefined;
    if (!Array.isArray(users)) return [];
    return users.flatMap((entry: unknown) => {
      if (!isRecord(entry) || !isRecord(entry["user"])) return [];
      const { name, user } = entry;
      const { tokenFile } = user;
      return typeof name === "string" && typeof tokenFile === "string" ? [[name, tokenFile] as const] : [];
    });
  } catch {
    // Said by whoever parses it as a kubeconfig.
    return [];
  }
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch {
    return undefined;
  }
}

function folderOf(file: string): string {
  const slash = file.lastIndexOf("/");
  return slash === -1 ? "." : file.slice(0, slash);
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
