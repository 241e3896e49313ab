import { mkdir, mkdtemp, rename, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, vi } from "vitest";
import type { ClusterChange, Log } from "../controller/index.ts";
import { FolderSource, type FolderSourceOptions } from "./index.ts";

/** A real folder of manifests. */
export class Folder implements AsyncDisposable {
  readonly path: string;
  readonly #base: string;
  #serial = 0;

  private constructor(base: string) {
    this.#base = base;
    this.path = join(base, "manifests");
  }
  static async create(): Promise<Folder> {
    const folder = new Folder(await mkdtemp(join(tmpdir(), "holdfast-files-")));
    await mkdir(folder.path);
    return folder;
  }
  at(name: string): string {
    return join(this.path, name);
  }
  /** Outside of the folder that is watched. */
  beside(name: string): string {
    return join(this.#base, name);
  }
  /** Writes in place. */
  async write(name: string, text: string): Promise<void> {
    await mkdir(dirname(this.at(name)), { recursive: true });
    await writeFile(this.at(name), text);
  }
  /** Writes beside it and renames, as careful programs do. */
  async replace(name: string, text: string): Promise<void> {
    const temporary = this.at(`.tmp-${this.#serial++}`);
    await writeFile(temporary, text);
    await rename(temporary, this.at(name));
  }
  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#base, { recursive: true, force: true });
  }
}

export class LogLines implements Log {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  debug = (fields: object, message: string): void => this.#add("debug", fields, message);
  info = (fields: object, message: string): void => this.#add("info", fields, message);
  warn = (fields: object, message: string): void => this.#add("warn", fields, message);
  error = (fields: object, message: string): void => this.#add("error", fields, message);
  of(level: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line.level === level).map(({ fields }) => fields);
  }
  #add(level: string, fields: object, message: string): void {
    this.lines.push({ level, message, fields: { ...fields } });
  }
}

export interface Watched {
  readonly folder: Folder;
  readonly source: FolderSource;
  readonly log: LogLines;
  readonly changes: ClusterChange[];
}

export const aborts: AbortController[] = [];
const folders: Folder[] = [];
afterEach(async () => {
  for (const abort of aborts.splice(0)) abort.abort();
  for (const folder of folders.splice(0)) await folder[Symbol.asyncDispose]();
});

export async function newFolder(): Promise<Folder> {
  const folder = await Folder.create();
  folders.push(folder);
  return folder;
}

export async function watch(folder: Folder, options: Partial<FolderSourceOptions> = {}): Promise<Watched> {
  const log = new LogLines();
  const source = new FolderSource({ folder: folder.path, log, ...options });
  const changes: ClusterChange[] = [];
  source.onChange((change) => changes.push(change));
  const abort = new AbortController();
  aborts.push(abort);
  await source.start(abort.signal);
  return { folder, source, log, changes };
}

export async function watched(
  files: Record<string, string>,
  options: Partial<FolderSourceOptions> = {},
): Promise<Watched> {
  const folder = await newFolder();
  for (const [name, text] of Object.entries(files)) await folder.write(name, text);
  return watch(folder, options);
}

export const route = (
  name: string,
  host = `${name}.example.com`,
  more = "",
): string => `apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata: {name: ${name}, namespace: apps}
spec:
  hostnames: ["${host}"]
  rules:
  - backendRefs: [{name: ${name}, port: 80}]
${more}`;
export const service = (name: string, port = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: apps}\nspec: {ports: [{port: ${port}}]}\n`;
export const config = (name: string, value = "x"): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: ${value}}\n`;
export const broken = "a: [1\nb: 2\n";

export const hosts = ({ source }: Watched): string[] =>
  [...source.snapshot().list("WebSocketRoute").values()]
    .flatMap((object) => (object as { spec: { hostnames: string[] } }).spec.hostnames)
    .sort();
export const configs = ({ source }: Watched): string[] =>
  [...source.snapshot().list("ConfigMap")]
    .map(([name, object]) => `${name}=${(object as { data: { value: string } }).data.value}`)
    .sort();
export const problems = ({ source }: Watched): string[] =>
  source.problems().map(({ file, line, message }) => `${file}:${line} ${message}`);
export const becomes = <T>(read: () => T, want: unknown): Promise<void> =>
  vi.waitFor(() => expect(read()).toEqual(want), { timeout: 8000, interval: 5 });
/** Every state that the snapshot went through, as fine as a timer can see. */
export function spy(world: Watched): () => string[] {
  const seen = new Set<string>();
  const look = (): Set<string> => seen.add(configs(world).join(" "));
  const timer = setInterval(look, 1);
  look();
  return () => {
    clearInterval(timer);
    return [...look()];
  };
}
/** Of a writer that hesitates. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Whatever was on its way has been read: a file that is written now is seen. */
export async function isQuiet(world: Watched): Promise<void> {
  await world.folder.replace("zz-probe.yaml", config(`probe-${world.changes.length}-${Math.floor(performance.now())}`));
  const before = world.source.snapshot().list("ConfigMap").size;
  await vi.waitFor(() => expect(world.source.snapshot().list("ConfigMap").size).not.toBe(before), { interval: 5 });
  await unlink(world.folder.at("zz-probe.yaml"));
  await vi.waitFor(() => expect(world.source.snapshot().list("ConfigMap").size).toBe(before), { interval: 5 });
}
