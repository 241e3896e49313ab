import { defineConfig } from "vitest/config";
import { whyNoCluster } from "./test/cluster/fixtures/cluster-tools.ts";

const noCluster = whyNoCluster();

export default defineConfig({
  test: {
    reporters: ["default", "./scripts/summary-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/*.test.ts", "test/{golden,schema,chart,bench}/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          // Matches no name: all are skipped and no hook runs. setup-tests.ts makes that an error with CI=true.
          ...(noCluster !== undefined && { testNamePattern: /(?!)/ }),
        },
      },
    ],
  },
});
