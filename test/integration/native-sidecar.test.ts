import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { HoldfastProcess, started } from "./fixtures/holdfast.ts";
import { sidecarExample } from "./fixtures/native-sidecar.ts";
import { NumberedBackend } from "./fixtures/numbered-backend.ts";
import { landing } from "./fixtures/numbered-client.ts";

const { files, pod } = sidecarExample();
const [{ args = [] }] = pod.initContainers;
const { preStop, postStart } = pod.containers[0].lifecycle;
const isCurlMissing = spawnSync("curl", ["--version"]).error !== undefined && process.env["CI"] !== "true";

/** The hook as the kubelet would run it, but for the port and the times. */
async function run(hook: typeof preStop, admin: string): Promise<number | null> {
  const [program = "", ...rest] = hook.exec.command.map((word) =>
    word
      .replace("127.0.0.1:9090", admin)
      .replace('"grace": "5s"', '"grace": "500ms"')
      .replace('"within": "45s"', '"within": "3s"'),
  );
  const [code] = (await once(spawn(program, rest, { stdio: "inherit" }), "exit")) as [number | null];
  return code;
}

async function readiness(admin: string): Promise<number> {
  return (await fetch(`http://${admin}/readyz`)).status;
}

describe("the example of a native sidecar", () => {
  let folder: string;
  let backend: NumberedBackend;
  beforeAll(async () => {
    backend = await NumberedBackend.start("chat");
    folder = await mkdtemp(join(tmpdir(), "holdfast-sidecar-"));
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(folder, name), text.replace("port: 8010", `port: ${backend.port}`));
    }
    return async () => {
      await backend[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    };
  });

  /** With the example's own flags; of the ones that are given twice the last counts. */
  async function sidecar() {
    const own = args.map((arg) => arg.replace("--dir=/etc/holdfast", `--dir=${folder}`));
    return started(new HoldfastProcess([...own, "--http=127.0.0.1:0", "--admin=127.0.0.1:0"], {}));
  }

  test("serves the application beside it, whatever name clients know it by", async () => {
    const { holdfast, http } = await sidecar();
    await using _ = holdfast;
    for (const host of ["chat.example.com", "10.0.0.7"]) {
      await expect.poll(() => landing(`ws://${http}/`, host)).toBe("chat");
    }
  });

  test.skipIf(isCurlMissing)(
    "closes every tunnel with 1012 while the application's preStop hook waits, which then ends with 0",
    async () => {
      const { holdfast, http, admin } = await sidecar();
      await using _ = holdfast;
      const tunnels = await Promise.all(Array.from({ length: 20 }, () => openTunnel(http)));
      expect(await readiness(admin)).toBe(200);

      const hooked = run(preStop, admin);
      await expect.poll(() => readiness(admin)).toBe(503);
      expect(await hooked).toBe(0);
      // Not before the last one was closed: what is seen late is on its way already.
      const codes = (): readonly unknown[] => tunnels.map(({ code }) => code);
      await expect.poll(codes, { timeout: 500 }).toEqual(tunnels.map(() => 1012));

      // What the kubelet sends when the application has exited.
      holdfast.process.kill("SIGTERM");
      expect(await holdfast.exit()).toEqual({ code: 0, signal: null });
    },
  );

  test.skipIf(isCurlMissing)("takes clients again for an application that was restarted alone", async () => {
    const { holdfast, http, admin } = await sidecar();
    await using _ = holdfast;
    await expect.poll(() => landing(`ws://${http}/`, "chat")).toBe("chat");
    expect(await run(postStart, admin)).toBe(0);
    expect(await readiness(admin)).toBe(200);
    expect(await run(preStop, admin)).toBe(0);
    expect(await readiness(admin)).toBe(503);
    expect(await run(postStart, admin)).toBe(0);
    await expect.poll(() => readiness(admin)).toBe(200);
    expect(await landing(`ws://${http}/`, "chat")).toBe("chat");
  });
});

/** `code`: of the Close, once there was one. */
async function openTunnel(http: string): Promise<{ readonly code: number | undefined }> {
  const socket = new WebSocket(`ws://${http}/`, { perMessageDeflate: false });
  const tunnel: { code: number | undefined } = { code: undefined };
  socket.once("close", (code) => (tunnel.code = code));
  await once(socket, "open");
  return tunnel;
}
