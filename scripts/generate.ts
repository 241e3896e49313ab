/** Writes every file that is made from the source: `npm run generate`. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GENERATED_FILES } from "./generated-files.ts";

const root = join(import.meta.dirname, "..");
for (const { path, make } of GENERATED_FILES) {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, make());
}
console.log(`generated ${GENERATED_FILES.map(({ path }) => path).join(", ")}`);
