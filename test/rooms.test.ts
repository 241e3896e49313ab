import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const trees: string[] = [];
afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true, force: true });
});

/** Runs the rooms check on a copy of src/ with planted files; answers the names of the broken rules. */
function checkRooms(planted: Record<string, string>): { modules: number; broken: string[] } {
  const tree = mkdtempSync(join(tmpdir(), "holdfast-rooms-"));
  trees.push(tree);
  cpSync(join(root, "src"), join(tree, "src"), { recursive: true });
  for (const file of ["rooms.dependency-cruiser.cjs", "tsconfig.json", "package.json"])
    copyFileSync(join(root, file), join(tree, file));
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  for (const [path, text] of Object.entries(planted)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  const bin = join(root, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs");
  const args = [bin, "src", "--config", "rooms.dependency-cruiser.cjs", "--output-type", "json"];
  const run = spawnSync(process.execPath, args, { cwd: tree, encoding: "utf8", maxBuffer: 256 * 1024 * 1024 });
  const { summary } = JSON.parse(run.stdout) as {
    summary: { totalCruised: number; violations: { rule: { name: string } }[] };
  };
  return {
    modules: summary.totalCruised,
    broken: [...new Set(summary.violations.map((violation) => violation.rule.name))],
  };
}

test("the tree as it stands keeps to its rooms, and the check has really read it", () => {
  const { modules, broken } = checkRooms({});
  expect(broken).toEqual([]);
  expect(modules).toBeGreaterThan(30);
});

test.for([
  {
    name: "a room that imports a room it may not",
    planted: {
      "src/routing/planted.ts":
        'import { ObjectStore } from "../controller/index.ts";\nexport const x = ObjectStore;\n',
    },
    rule: "routing-rooms",
  },
  {
    name: "the same as a type only",
    planted: {
      "src/relay/planted.ts": 'import type { RuleId } from "../routing/index.ts";\nexport type X = RuleId;\n',
    },
    rule: "relay-rooms",
  },
  {
    name: "a room entered by the back door",
    planted: {
      "src/proxy/planted.ts":
        'import { UpstreamRegistry } from "../upstream/registry.ts";\nexport const x = UpstreamRegistry;\n',
    },
    rule: "proxy-front-door",
  },
  {
    name: "a package where it is not allowed",
    planted: { "src/relay/planted.ts": 'import { pino } from "pino";\nexport const x = pino;\n' },
    rule: "relay-npm",
  },
  {
    name: "a node module where it is not allowed",
    planted: { "src/routing/planted.ts": 'import { connect } from "node:net";\nexport const x = connect;\n' },
    rule: "routing-node",
  },
  {
    name: "two files that import each other",
    planted: {
      "src/routing/planted-a.ts": 'import { b } from "./planted-b.ts";\nexport const a = (): unknown => b;\n',
      "src/routing/planted-b.ts": 'import { a } from "./planted-a.ts";\nexport const b = (): unknown => a;\n',
    },
    rule: "no-cycles",
  },
  {
    name: "a room that is not in the table",
    planted: { "src/utils/planted.ts": "export const x = 1;\n" },
    rule: "no-unknown-room",
    from: "app",
  },
])("planted fault is found: $name", ({ planted, rule, from }) => {
  const extra =
    from === undefined
      ? {}
      : { "src/app/planted.ts": 'import { x } from "../utils/planted.ts";\nexport const y = x;\n' };
  expect(checkRooms({ ...planted, ...extra }).broken).toContain(rule);
});
