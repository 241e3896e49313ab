import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AffinityKeys } from "../upstream/index.ts";
import { AffinityKeyWatch } from "./affinity-key-watch.ts";
import { AffinityKeyError, readAffinityKeys } from "./affinity-keys.ts";

const FIRST = "first key, which has 32 bytes or more";
const SECOND = "second key, which has 32 bytes or more";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-key-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function textsOf({ current, previous }: AffinityKeys): readonly (string | undefined)[] {
  return [Buffer.from(current).toString(), previous && Buffer.from(previous).toString()];
}

/** Files of a Secret as the kubelet mounts it: what is read are links through `..data`, which alone is replaced. */
async function mount(version: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(folder, version));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, version, name), text);
  await symlink(version, join(folder, "..next"));
  await rename(join(folder, "..next"), join(folder, "..data"));
  for (const name of ["current", "previous"]) {
    await symlink(join("..data", name), join(folder, name)).catch(() => {});
  }
}

async function faultOf(path: string): Promise<string> {
  const error: unknown = await readAffinityKeys(path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AffinityKeyError);
  return (error as Error).message;
}

describe("a key is read", () => {
  test("from a file, without the end of its line", async () => {
    const file = join(folder, "key");
    for (const end of ["", "\n", "\r\n", "\n\n"]) {
      await writeFile(file, FIRST + end);
      expect(textsOf(await readAffinityKeys(file))).toEqual([FIRST, undefined]);
    }
  });

  test("from a folder, as a Secret is mounted", async () => {
    await mount("..1", { current: `${SECOND}\n`, previous: FIRST });
    expect(textsOf(await readAffinityKeys(folder))).toEqual([SECOND, FIRST]);
  });

  test.for([
    { name: "is missing", files: { current: FIRST } },
    { name: "is empty", files: { current: FIRST, previous: "\n" } },
  ])("from a folder whose previous $name", async ({ files }) => {
    await mount("..1", files);
    expect(textsOf(await readAffinityKeys(folder))).toEqual([FIRST, undefined]);
  });

  test("of bytes that are no text", async () => {
    const bytes = Buffer.from([...Array.from({ length: 32 }, (_, index) => 255 - index), 0]);
    await writeFile(join(folder, "key"), bytes);
    expect((await readAffinityKeys(join(folder, "key"))).current).toEqual(bytes);
  });
});

describe("what is no key is refused with words, which never hold it:", () => {
  const SHORT = "thirty-one bytes, one too few!!";
  test.for<{ name: string; make: () => Promise<string>; want: RegExp }>([
    { name: "nothing there", make: () => Promise.resolve(join(folder, "no")), want: /not the key itself/ },
    { name: "a key in place of a path", make: () => Promise.resolve(FIRST.repeat(100)), want: /not the key itself/ },
    { name: "an empty folder", make: () => Promise.resolve(folder), want: /its file current is missing or empty/ },
    { name: "an empty file", make: () => file(""), want: /missing or empty/ },
    { name: "a short key", make: () => file(`${SHORT}\n`), want: /it has 31 bytes, and must have 32 or more.*openssl/ },
    {
      name: "a short previous key",
      make: () => mount("..1", { current: FIRST, previous: SHORT }).then(() => folder),
      want: /its file previous has 31 bytes/,
    },
    { name: "a large file", make: () => file("x".repeat(4_097)), want: /larger than 4096 bytes/ },
    { name: "a device without end", make: () => Promise.resolve("/dev/zero"), want: /is not a file/ },
    {
      name: "a folder in place of a file",
      make: () => mkdir(join(folder, "current")).then(() => folder),
      want: /not a file/,
    },
    {
      name: "a link to itself",
      make: () => symlink("current", join(folder, "current")).then(() => folder),
      want: /its file current cannot be read \(ELOOP\)/,
    },
    { name: "a pipe that nobody writes to", make: pipe, want: /is not a file/ },
  ])("$name", async ({ make, want }) => {
    const message = await faultOf(await make());
    expect(message).toMatch(/^--affinity-key /);
    expect(message).toMatch(want);
    for (const secret of [SHORT, FIRST, folder]) expect(message).not.toContain(secret);
  });

  async function file(text: string): Promise<string> {
    await writeFile(join(folder, "key"), text);
    return join(folder, "key");
  }

  async function pipe(): Promise<string> {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    return Promise.resolve(join(folder, "pipe"));
  }
});

describe("a key that is in force", () => {
  const lines: string[] = [];
  const say = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log = { debug: say, info: say, warn: say, error: say };
  beforeEach(() => void lines.splice(0));

  const start = (): Promise<AffinityKeyWatch> => AffinityKeyWatch.start({ path: folder, log, everyMs: 5 });
  /** After so many lines; a while later there are no more. */
  const said = (count: number): Promise<void> => expect.poll(() => lines.length, { interval: 2 }).toBe(count);

  test("is another once the Secret is, and that is said once", async () => {
    await mount("..1", { current: FIRST });
    using watch = await start();
    const before = watch.keys;
    expect(watch.keys).toBe(before);
    await mount("..2", { current: SECOND, previous: FIRST });
    await expect.poll(() => textsOf(watch.keys), { interval: 2 }).toEqual([SECOND, FIRST]);
    await mount("..3", { current: SECOND });
    await expect.poll(() => textsOf(watch.keys), { interval: 2 }).toEqual([SECOND, undefined]);
    expect(lines).toEqual([
      'the affinity key is another now {"hasPrevious":true}',
      'the affinity key is another now {"hasPrevious":false}',
    ]);
  });

  test("stays the same object while it is read again and again", async () => {
    await mount("..1", { current: FIRST });
    using watch = await start();
    const { keys } = watch;
    await mount("..2", { current: `${FIRST}\n` });
    // Seen to be read: what is broken is said.
    await mount("..3", { current: "short" });
    await said(1);
    expect(watch.keys).toBe(keys);
  });

  test("stays when what is there is broken, which is said once, and again when it is well", async () => {
    await mount("..1", { current: FIRST });
    using watch = await start();
    await mount("..2", { current: "secret" });
    await said(1);
    await mount("..3", { previous: FIRST });
    await said(2);
    expect(textsOf(watch.keys)).toEqual([FIRST, undefined]);
    await mount("..4", { current: FIRST });
    await said(3);
    expect(lines).toEqual([
      expect.stringMatching(/^the affinity key cannot be read; the last one stays in force .*has 6 bytes/),
      expect.stringMatching(
        /^the affinity key cannot be read; the last one stays in force .*current is missing or empty/,
      ),
      "the affinity key can be read again {}",
    ]);
    expect(lines.join()).not.toContain("secret");
  });

  test("is refused at the start when it is broken", async () => {
    await mount("..1", { current: "short" });
    await expect(start()).rejects.toThrow(AffinityKeyError);
  });

  test("is read no more once the watch has ended", async () => {
    await mount("..1", { current: FIRST });
    const watch = await start();
    const other = await start();
    watch[Symbol.dispose]();
    await mount("..2", { current: SECOND });
    await expect.poll(() => textsOf(other.keys), { interval: 2 }).toEqual([SECOND, undefined]);
    expect(textsOf(watch.keys)).toEqual([FIRST, undefined]);
    other[Symbol.dispose]();
  });
});
