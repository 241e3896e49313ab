import type { Reporter, TestModule } from "vitest/node";
import { whyNoCluster } from "../test/cluster/fixtures/cluster-tools.ts";

/** Prints the names of skipped tests and, as the very last line, the one that CI reads. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const skipped: string[] = [];
    let brokenModules = 0;
    for (const module of modules) {
      if (!module.ok() && [...module.children.allTests()].every((test) => test.result().state !== "failed"))
        brokenModules++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") counts.passed++;
        else if (state === "failed") counts.failed++;
        else {
          counts.skipped++;
          const reason = module.project.name === "cluster" ? whyNoCluster() : undefined;
          skipped.push(`${module.relativeModuleId}: ${test.fullName}${reason === undefined ? "" : ` (${reason})`}`);
        }
      }
    }
    counts.failed += brokenModules + (unhandledErrors.length > 0 ? 1 : 0);
    // After the default reporter's own closing lines, which are written later in the same turn.
    process.on("exit", () => {
      for (const name of skipped) process.stdout.write(`skipped: ${name}\n`);
      process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
    });
  }
}
