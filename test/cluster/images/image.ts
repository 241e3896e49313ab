import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ContainerProcess } from "./container-process.ts";

const run = promisify(execFile);
const images = join(import.meta.dirname, "images.sh");

/** Why no image can be built here; undefined when one can. */
export function whyNoImages(): string | undefined {
  const missing = ["buildah", "mmdebstrap"].filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
  if (missing.length > 0) return `${missing.join(" and ")} missing (npm run setup:tests installs them on Debian)`;
  const isWholeRoot =
    process.getuid?.() === 0 && /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  return isWholeRoot ? undefined : "not root: files of other users cannot be made";
}

/** As whyNoImages, and also when `images.sh setup` did not run since the dependencies changed. */
export function whyNoBuild(): string | undefined {
  const isPrepared = (): boolean => spawnSync(images, ["is-prepared"]).status === 0;
  return whyNoImages() ?? (isPrepared() ? undefined : "not prepared for these dependencies: npm run setup:tests");
}

/** Of an image's configuration, what decides how it runs. https://github.com/opencontainers/image-spec, config.md. */
export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly WorkingDir: string;
  readonly StopSignal: string;
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Volumes?: Readonly<Record<string, unknown>>;
}

export interface ImageFile {
  /** `f` file, `d` folder, `l` link, as find's %y. */
  readonly kind: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly bytes: number;
  /** From the root of the image. */
  readonly path: string;
}

interface RunOptions {
  /** Instead of the image's. */
  readonly entrypoint?: readonly string[];
  /** Added to the image's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the host, seen read-only at the places that are the keys. */
  readonly folders?: Readonly<Record<string, string>>;
  /** Places of empty folders in memory that any user may write to, as an emptyDir is. */
  readonly memory?: readonly string[];
}

/** An image as buildah has it, with one container of its files in which commands can be run. */
export class Image implements AsyncDisposable {
  readonly config: ImageConfig;
  readonly #container: string;

  private constructor(config: ImageConfig, container: string) {
    this.config = config;
    this.#container = container;
  }

  /** The project's Dockerfile as it stands. `flags`: more of `buildah build`. */
  static async build(flags: readonly string[] = []): Promise<Image> {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-image-"));
    try {
      const idFile = join(folder, "id");
      await run(images, ["holdfast", "--iidfile", idFile, ...flags], { maxBuffer: 64 * 1024 * 1024 });
      const id = (await readFile(idFile, "utf8")).trim();
      const { stdout } = await run(images, ["buildah", "inspect", "--type", "image", id], {
        maxBuffer: 16 * 1024 * 1024,
      });
      const inspected = JSON.parse(stdout) as { readonly OCIv1: { readonly config: ImageConfig } };
      const container = await run(images, ["buildah", "from", "--pull-never", id]);
      return new Image(inspected.OCIv1.config, container.stdout.trim());
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Everything in it. */
  async files(): Promise<readonly ImageFile[]> {
    const list = `root=$("$0" mount "$1") && find "$root" -xdev -printf '%y %m %U %s /%P\\n'`;
    const { stdout } = await run("unshare", ["--mount", "sh", "-ec", list, images, this.#container], {
      maxBuffer: 64 * 1024 * 1024,
    });
    return [...stdout.matchAll(/^(\w) (\d+) (\d+) (\d+) (.+)$/gm)].map(
      ([, kind = "", mode, uid, bytes, path = ""]) => ({
        kind,
        mode: Number.parseInt(mode ?? "", 8),
        uid: Number(uid),
        bytes: Number(bytes),
        path,
      }),
    );
  }

  /** Runs it with the image's own environment and entry point; see run.sh for how it is confined. */
  run(args: readonly string[], options: RunOptions = {}): ContainerProcess {
    const { entrypoint = this.config.Entrypoint, env = {}, folders = {}, memory = [] } = options;
    const mounts = [
      ...Object.entries(folders).map(([place, folder]) => `${folder}:${place}`),
      ...memory.map((place) => `memory:${place}`),
    ];
    const variables = [...this.config.Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
    const environment = ["/usr/bin/env", "-i", "-C", this.config.WorkingDir, ...variables];
    const command = [this.#container, ...mounts, "--", ...environment, ...entrypoint, ...args];
    return new ContainerProcess(join(import.meta.dirname, "run.sh"), command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(images, ["buildah", "rm", this.#container]);
  }
}
