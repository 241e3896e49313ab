import { chmod, readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ManifestFolder, endpoints, route, service } from "../integration/fixtures/manifests.ts";
import { NumberedBackend } from "../integration/fixtures/numbered-backend.ts";
import { landing } from "../integration/fixtures/numbered-client.ts";
import { exchange } from "../integration/fixtures/raw.ts";
import { Image, type ImageFile, whyNoBuild } from "./images/image.ts";

const root = resolve(import.meta.dirname, "../..");
const HOST = "chat.example";
const FREE_PORTS = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
/** Of what is added to the base. As of the first image: 38 MB, of which 25 are the Kubernetes client. */
const MAX_ADDED_BYTES = 60e6;

const reason = whyNoBuild();
const isMissing = reason !== undefined && process.env["CI"] !== "true";

async function json<Shape>(file: string): Promise<Shape> {
  return JSON.parse(await readFile(join(root, file), "utf8")) as Shape;
}

describe.skipIf(isMissing)(reason === undefined ? "the image" : `the image (${reason})`, () => {
  let image: Image;
  let files: readonly ImageFile[];
  let ours: readonly ImageFile[];
  beforeAll(async () => {
    if (reason !== undefined) throw new Error(reason);
    image = await Image.build();
    files = await image.files();
    ours = files.filter(({ path }) => path.startsWith("/holdfast/"));
    return () => image[Symbol.asyncDispose]();
  }, 240_000);

  test("says how to run it: not as root, by the exec form, to be ended by SIGTERM", async () => {
    const { description, license } = await json<{ description: string; license: string }>("package.json");
    const label = (name: string): string => `org.opencontainers.image.${name}`;
    const { Env, Labels, ...config } = image.config;
    expect(config).toEqual({
      User: "1000:1000",
      Entrypoint: ["node", "/holdfast/bin/holdfast.cjs"],
      Cmd: ["--help"],
      WorkingDir: "/holdfast",
      StopSignal: "SIGTERM",
      ExposedPorts: { "8080/tcp": {}, "9090/tcp": {} },
    });
    // The first two are the stand-in's.
    const known = /^(PATH|NODE_EXTRA_CA_CERTS)=/;
    expect(Env.filter((variable) => !known.test(variable))).toEqual([
      "NODE_ENV=production",
      "HOLDFAST_HTTP=:8080",
      "HOLDFAST_ADMIN=:9090",
    ]);
    expect(Labels).toMatchObject({
      [label("title")]: "Holdfast",
      [label("description")]: description,
      [label("licenses")]: license,
      [label("version")]: "0.0.0-test",
      [label("revision")]: "0123456789",
      [label("source")]: "https://example.test/holdfast",
    });
  });

  test("holds the program, its licence, and the dependencies it needs at run time; nothing else", async () => {
    const top = ours.flatMap(({ path }) => /^\/holdfast\/([^/]+)$/.exec(path)?.[1] ?? []);
    expect(top.toSorted()).toEqual(["LICENSE", "bin", "dist", "node_modules", "package.json"]);

    const { packages } = await json<{
      packages: Record<string, { readonly dev?: boolean; readonly optional?: boolean }>;
    }>("package-lock.json");
    const wanted = Object.entries(packages).filter(([path, { dev }]) => path !== "" && dev !== true);
    const required = wanted.filter(([path, { optional }]) => optional !== true && !path.includes("/@types/"));
    const inside = ours.flatMap(({ path }) => {
      return /^\/holdfast\/(.*node_modules\/(@[^/]+\/)?[^/@]+)\/package\.json$/.exec(path)?.[1] ?? [];
    });
    const allowed = new Set(wanted.map(([path]) => path));
    expect(inside.filter((path) => !allowed.has(path))).toEqual([]);
    expect(required.map(([path]) => path).filter((path) => !inside.includes(path))).toEqual([]);
  });

  test("holds no source, test, source map or native code, and no configuration of npm", () => {
    const useless = /\.([mc]?ts|map|node|bare)$|\.test\.[mc]?js$|^\/holdfast\/dist\/.+\.(bench|contract|fixture)\.js$/;
    expect(ours.filter(({ path }) => useless.test(path)).map(({ path }) => path)).toEqual([]);
    expect(files.filter(({ path }) => /[/]([.]npmrc|[.]npm)$/.test(path)).map(({ path }) => path)).toEqual([]);
  });

  test("can be read but not changed by the user it runs as", () => {
    const others = ours.filter(({ kind }) => kind !== "l");
    expect(others.filter(({ uid, mode }) => uid !== 0 || (mode & 0o022) !== 0)).toEqual([]);
    expect(others.filter(({ kind, mode }) => (mode & (kind === "d" ? 0o005 : 0o004)) === 0)).toEqual([]);
  });

  test(`adds less than ${MAX_ADDED_BYTES / 1e6} MB to its base`, () => {
    const bytes = ours.reduce((sum, file) => sum + file.bytes, 0);
    expect(bytes).toBeGreaterThan(1e6);
    expect(bytes).toBeLessThan(MAX_ADDED_BYTES);
  });

  test("prints its help when it is given nothing to do, and its version when asked", async () => {
    const { version } = await json<{ version: string }>("package.json");
    expect(await image.run(image.config.Cmd).end()).toMatchObject({
      code: 0,
      out: expect.stringContaining("Usage:") as unknown,
    });
    expect(await image.run(["--version"]).end()).toMatchObject({
      code: 0,
      out: expect.stringContaining(version) as unknown,
    });
  });

  test("has `holdfast` in its path, as a link to the program, for commands beside the one that runs", async () => {
    const { version } = await json<{ version: string }>("package.json");
    expect(files.find(({ path }) => path === "/usr/local/bin/holdfast")).toMatchObject({ kind: "l", uid: 0 });
    expect(files.find(({ path }) => path === "/usr/local/bin")).toMatchObject({ kind: "d", uid: 0, mode: 0o755 });
    expect(await image.run(["--version"], { entrypoint: ["holdfast"] }).end()).toMatchObject({
      code: 0,
      out: `holdfast ${version}`,
      err: "",
    });
  });

  test("nothing that any room imports is missing", async () => {
    const rooms = (await readdir(join(root, "src"), { withFileTypes: true })).filter((entry) => entry.isDirectory());
    const doors = rooms.map(({ name }) => name).filter((name) => name !== "app");
    const load =
      "for (const door of process.argv.slice(1)) await import(`/holdfast/dist/${door}/index.js`); console.log('loaded');";
    const entrypoint = ["node", "--input-type=module", "--eval", load, "--"];
    expect(await image.run(doors, { entrypoint }).end()).toMatchObject({ code: 0, out: "loaded", err: "" });
  });

  test("relays as process 1 of user 1000, without capabilities, on a read-only root; SIGTERM ends it with 0", async () => {
    await using backend = await NumberedBackend.start("b1");
    await using holdfast = image.run([
      "proxy",
      "--to",
      `127.0.0.1:${backend.port}`,
      ...FREE_PORTS,
      "--shutdown-grace",
      "0s",
    ]);
    expect(await landing(`ws://${await holdfast.address("http")}/`, HOST)).toBe("b1");

    const status = holdfast.status();
    expect(status.get("NSpid")).toMatch(/\s1$/);
    expect(status.get("Uid")).toBe("1000\t1000\t1000\t1000");
    expect(status.get("CapEff")).toBe("0000000000000000");
    expect(status.get("NoNewPrivs")).toBe("1");
    expect(holdfast.rootMount()).toContain("ro");

    holdfast.signal("SIGTERM");
    expect(await holdfast.end()).toMatchObject({ code: 0, err: "" });
  });

  test("serves a mounted folder of manifests and follows its changes", async () => {
    await using blue = await NumberedBackend.start("blue");
    await using green = await NumberedBackend.start("green");
    await using folder = await ManifestFolder.create({
      "chat.yaml": [
        service("chat", 80),
        ...endpoints("chat", [blue.port]),
        route("chat").host(HOST).to("chat", 80).manifest(),
      ],
    });
    await chmod(folder.path, 0o755);
    await using holdfast = image.run(["serve", "--source", "files", "--dir", "/manifests", ...FREE_PORTS], {
      folders: { "/manifests": folder.path },
    });
    const url = `ws://${await holdfast.address("http")}/`;
    await expect.poll(() => landing(url, HOST)).toBe("blue");
    const admin = await holdfast.address("admin");
    expect(await exchange(admin, "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).toMatch(
      /^HTTP\/1.1 200 /,
    );

    await folder.write("green.yaml", [
      service("green", 80),
      ...endpoints("green", [green.port]),
      route("green").host("green.example").to("green", 80).manifest(),
    ]);
    await expect.poll(() => landing(url, "green.example")).toBe("green");
  });
});

describe.skipIf(isMissing)("the build", () => {
  test("is sent what the image is made of: no tests, no repository, nothing installed or built before", async () => {
    await using context = await Image.build(["--file", join(import.meta.dirname, "images/context.Dockerfile")]);
    const sent = (await context.files()).filter(({ kind }) => kind === "f").map(({ path }) => path);
    const known =
      /^\/(package\.json|package-lock\.json|tsconfig\.json|tsconfig\.build\.json|LICENSE|bin\/holdfast\.cjs|src\/.+)$/;
    expect(sent).toContain("/src/app/main.ts");
    expect(sent.filter((path) => !known.test(path) || path.endsWith(".test.ts"))).toEqual([]);
  });
});
