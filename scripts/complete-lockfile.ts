/**
 * Adds to package-lock.json the optional packages of other platforms that npm left out because the registry it spoke to
 * does not serve them; without them `npm ci` refuses the lockfile. Run after every change of dependencies; a complete
 * lockfile stays as it is. Their versions are those that the depending packages pin.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const SYSTEMS = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const PROCESSORS = ["arm64", "arm", "ia32", "ppc64", "riscv64", "s390x", "x64"];
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

function platformOf(name: string): Pick<LockedPackage, "os" | "cpu" | "libc"> | undefined {
  const words = name.slice(name.indexOf("/") + 1).split("-");
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = PROCESSORS.filter((processor) => words.includes(processor));
  if (os.length !== 1 || cpu.length !== 1) return undefined;
  if (words.some((word) => word.startsWith("musl"))) return { os, cpu, libc: ["musl"] };
  return words.some((word) => word.startsWith("gnu")) ? { os, cpu, libc: ["glibc"] } : { os, cpu };
}

const path = join(import.meta.dirname, "../package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, LockedPackage> };
const added: string[] = [];
for (const { optionalDependencies, dev } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    const platform = platformOf(name);
    if (lock.packages[key] !== undefined || platform === undefined || !EXACT.test(version)) continue;
    lock.packages[key] = { version, ...(dev === true && { dev }), optional: true, ...platform };
    added.push(name);
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en"));
if (added.length > 0) {
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
}
console.log(`package-lock.json: ${added.length} optional packages of other platforms added`);
