/**
 * Gets what the tests need beyond npm packages: a Chromium. Debian's package is installed when this runs as root and
 * apt-get is there; otherwise what is missing is said by name, and the tests that need it are skipped by name (with
 * CI=true a missing tool is an error).
 */
import { spawnSync } from "node:child_process";
import { findChromium } from "../test/integration/fixtures/chromium-path.ts";

function tryInstall(): void {
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).error !== undefined) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  console.log("setup: installing chromium with apt-get (once per machine)");
  spawnSync("apt-get", ["update", "-qq"], { env, stdio: "ignore" });
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], { env, stdio: "ignore" });
}

if (findChromium() === undefined) tryInstall();
const chromium = findChromium();
if (chromium !== undefined) console.log(`setup: chromium found at ${chromium}`);
else {
  console.log("setup: no chromium found; set CHROMIUM to its path or install it. The browser tests will be skipped.");
  if (process.env["CI"] === "true") process.exit(1);
}
