import type { Agent, RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Log } from "../controller/index.ts";
import type { Access } from "./access.ts";
import {
  type CredentialFiles,
  type CredentialPlace,
  findCredentials,
  readCredentials,
  SERVICE_ACCOUNT_FOLDER,
  wordsOf,
} from "./credential-files.ts";
import { ApiError } from "./types.ts";

export interface CredentialsOptions {
  /** A file named by the user; undefined = KUBECONFIG, the pod's ServiceAccount, or `~/.kube/config`. */
  readonly kubeconfig?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
  readonly serviceAccountFolder?: string;
}

/** Tokens of pods are replaced long before they end; client-go reads as often. */
const READ_AGAIN_MS = 60_000;
/** However many requests are refused at once, files are read and programs of a kubeconfig run only so often. */
const FORCED_AGAIN_MS = 1000;

/**
 * Who we are for the API server, read again while running: at least once a minute when used, and at once after a 401.
 * What cannot be read leaves what was read before in force.
 */
export class Credentials {
  /** Of the pod or of the kubeconfig's context; else `default`. */
  readonly namespace: string;
  readonly #place: CredentialPlace;
  readonly #log: Log;
  readonly #now: () => number;
  #text: string;
  #config: KubeConfig;
  #access: Access | undefined;
  #readMs = Number.NEGATIVE_INFINITY;
  #forcedMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #trouble: string | undefined;

  private constructor(options: CredentialsOptions, place: CredentialPlace, files: CredentialFiles) {
    this.#place = place;
    this.#log = options.log;
    this.#now = options.now ?? (() => performance.now());
    this.#text = files.text;
    this.#config = files.toConfig();
    const namespace = this.#config.getContextObject(this.#config.getCurrentContext())?.namespace;
    this.namespace = namespace === undefined || namespace === "" ? "default" : namespace;
  }

  /** Rejects with words for the user when there are no credentials, or none that can be used. */
  static async load(options: CredentialsOptions): Promise<Credentials> {
    const { kubeconfig, env, serviceAccountFolder = SERVICE_ACCOUNT_FOLDER } = options;
    const place = await findCredentials({ kubeconfig, env, serviceAccountFolder });
    const credentials = new Credentials(options, place, await readCredentials(place));
    // A program that gives tokens may fail for a moment; a context that leads nowhere is a mistake.
    serverOf(credentials.#config);
    return credentials;
  }

  /** As of a minute ago or later. Rejects with an ApiError when there never was any that could be used. */
  async access(): Promise<Access> {
    if (this.#now() - this.#readMs >= READ_AGAIN_MS) await this.#readOnce("Changed");
    if (this.#access !== undefined) return this.#access;
    const message = `the credentials cannot be used: ${this.#trouble ?? "nothing was read"}`;
    throw new ApiError({ status: 0, reason: "NoCredentials", message });
  }

  /** The API server did not accept these: reads all anew. Answers whether there are others now. */
  async refused(access: Access): Promise<boolean> {
    if (this.#access === access && this.#now() - this.#forcedMs >= FORCED_AGAIN_MS) {
      this.#forcedMs = this.#now();
      await this.#readOnce("All");
    }
    return this.#access !== access;
  }

  #readOnce(what: "Changed" | "All"): Promise<void> {
    this.#reading ??= this.#read(what).finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(what: "Changed" | "All"): Promise<void> {
    try {
      const files = await readCredentials(this.#place);
      // A config keeps the answers of programs and its proxy's connections.
      const isKept = what === "Changed" && files.text === this.#text && !hasProxy(this.#config);
      const config = isKept ? this.#config : files.toConfig();
      const access = await accessOf(config);
      this.#config = config;
      this.#text = files.text;
      if (!isSameAccess(access, this.#access)) this.#access = access;
      this.#mended();
    } catch (error) {
      this.#troubled(wordsOf(error));
    }
    // Without any, the next request tries again.
    if (this.#access !== undefined) this.#readMs = this.#now();
  }

  #troubled(message: string): void {
    if (this.#trouble === message) return;
    this.#trouble = message;
    this.#log.warn({ problem: message }, "credentials cannot be read; those read last stay in use");
  }

  #mended(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#log.info({}, "credentials can be read again");
  }
}

async function accessOf(config: KubeConfig): Promise<Access> {
  const { server, proxyUrl } = serverOf(config);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, passphrase, servername, rejectUnauthorized } = options;
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, passphrase, servername, rejectUnauthorized }).filter(([, value]) => value),
  );
  if (rejectUnauthorized === false) tls["rejectUnauthorized"] = false;
  return {
    server,
    headers: headersOf(options),
    tls,
    proxyAgent: proxyUrl === undefined ? undefined : (options.agent as Agent),
    connectionKey: JSON.stringify([server.href, proxyUrl, tls]),
  };
}

function headersOf({ headers = {}, auth }: RequestOptions): Readonly<Record<string, string>> {
  const said: Record<string, string> = {};
  // A token from a file ends with a newline, which no header may hold.
  for (const [name, value] of Object.entries(headers)) said[name.toLowerCase()] = String(value).trim();
  if (typeof auth === "string") said["authorization"] ??= `Basic ${Buffer.from(auth).toString("base64")}`;
  return said;
}

function serverOf(config: KubeConfig): { readonly server: URL; readonly proxyUrl: string | undefined } {
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error(`the kubeconfig's current-context "${config.getCurrentContext() ?? ""}" names no cluster of it`);
  }
  if (!URL.canParse(cluster.server)) throw new Error(`the kubeconfig's server "${cluster.server}" is no URL`);
  return { server: new URL(cluster.server), proxyUrl: cluster.proxyUrl };
}

function hasProxy(config: KubeConfig): boolean {
  return config.getCurrentCluster()?.proxyUrl !== undefined;
}

function isSameAccess(a: Access, b: Access | undefined): boolean {
  return (
    b !== undefined && a.connectionKey === b.connectionKey && JSON.stringify(a.headers) === JSON.stringify(b.headers)
  );
}
