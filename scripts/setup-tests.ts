/**
 * Gets what the tests need beyond npm packages: a browser, an API server and its friends, what images are made with, the
 * proxies of the benchmark, a network namespace. Debian's packages are installed when this runs as root and apt-get is
 * there; Go binaries are built once per machine. What cannot be had is said by name, and the tests that need it are
 * skipped by name; with CI=true it is an error.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { installPrograms } from "../bench/peers/debian-packages.ts";
import { findProgram } from "../bench/peers/programs.ts";
import { lacks, missingTools } from "../test/cluster/fixtures/cluster-tools.ts";
import { whyNoNamespace } from "../test/cluster/fixtures/network-namespace.ts";
import { whyNoImages } from "../test/cluster/images/image.ts";
import { findChromium } from "../test/integration/fixtures/chromium-path.ts";
import { buildGoClient } from "../test/integration/fixtures/go-client.ts";
import { pythonLibrary } from "../test/integration/fixtures/python-client.ts";

const CLUSTER = join(import.meta.dirname, "../test/cluster");

interface DebianPackage {
  readonly name: string;
  readonly isMissing: () => boolean;
}

/** Holdfast is measured beside these; how they are started is tested. */
const BENCH_PEERS = ["nginx", "haproxy"];

const lacksCommand = (command: string) => (): boolean => spawnSync(command, ["--help"]).error !== undefined;

const PACKAGES: readonly DebianPackage[] = [
  { name: "chromium", isMissing: () => findChromium() === undefined },
  { name: "iproute2", isMissing: lacksCommand("ip") },
  { name: "util-linux", isMissing: () => lacksCommand("unshare")() || lacksCommand("setpriv")() },
  { name: "openssl", isMissing: lacksCommand("openssl") },
  { name: "buildah", isMissing: lacksCommand("buildah") },
  { name: "mmdebstrap", isMissing: lacksCommand("mmdebstrap") },
  { name: "python3-websockets", isMissing: () => pythonLibrary().missing !== undefined },
];

function installPackages(): void {
  const missing = PACKAGES.filter(({ isMissing }) => isMissing()).map(({ name }) => name);
  if (missing.length === 0 || process.getuid?.() !== 0 || lacksCommand("apt-get")()) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  console.log(`setup: installing ${missing.join(", ")} with apt-get (once per machine)`);
  spawnSync("apt-get", ["update", "-qq"], { env, stdio: "ignore" });
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env, stdio: "ignore" });
}

/** Runs one of our scripts, its output in ours; whether it succeeded. */
function runs(script: string, ...args: readonly string[]): boolean {
  return spawnSync(join(CLUSTER, script), args, { stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}

/** What cannot be had, with what to do, and which tests are skipped for it. */
function* shortcomings(): Generator<string> {
  if (findChromium() === undefined) yield "no chromium: set CHROMIUM to its path or install it (browser tests)";
  const noPython = pythonLibrary().missing;
  if (noPython !== undefined) yield `${noPython} (tests of close codes seen by Python)`;
  const noGoClient = buildGoClient();
  if (noGoClient !== undefined) yield `${noGoClient} (tests of close codes seen by Go)`;
  const noNamespace = whyNoNamespace();
  if (noNamespace !== undefined) yield `no network namespace: ${noNamespace} (cluster tests)`;
  if (lacksCommand("openssl")()) yield "no openssl: install it (cluster tests)";
  yield* clusterShortcomings();
  for (const peer of BENCH_PEERS) {
    if (findProgram(peer) === undefined)
      yield `no ${peer}: install it (the tests of the benchmark, and of rolling behind a balancer, that need it)`;
  }
  if (findProgram("go") === undefined) yield "no go: install Go (the tests of the load generator)";
  const noImages = whyNoImages();
  if (noImages !== undefined) yield `no images: ${noImages} (image tests)`;
  else if (!runs("images/images.sh", "setup")) yield "no images: images.sh setup failed, see above (image tests)";
}

/** A folder of envtest is taken as it is; nothing is built beside it. */
function* clusterShortcomings(): Generator<string> {
  const isGiven = (process.env["KUBEBUILDER_ASSETS"] ?? "") !== "";
  const isBuilt = isGiven || runs("build.sh");
  const missing = missingTools();
  if (missing.length > 0) yield `no ${missing.join(", ")}: install Go or set KUBEBUILDER_ASSETS (cluster tests)`;
  else if (!isBuilt) yield "build.sh failed, see above: older binaries would be used (cluster tests)";
  for (const tool of ["kube-controller-manager", "helm"] as const) {
    if (lacks(tool)) yield `no ${tool}: put it on the PATH or unset KUBEBUILDER_ASSETS (the tests that need it)`;
  }
}

installPackages();
await installPrograms(BENCH_PEERS, (words) => console.log(`setup: ${words}`));
const found = [...shortcomings()];
for (const shortcoming of found) console.log(`setup: ${shortcoming}`);
if (found.length === 0) console.log("setup: everything is there");
else if (process.env["CI"] === "true") process.exit(1);
