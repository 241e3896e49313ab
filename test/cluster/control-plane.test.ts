import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readlink, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { ControlPlane } from "./fixtures/control-plane.ts";
import { lacks } from "./fixtures/cluster-tools.ts";

const NAMESPACE = { apiVersion: "v1", kind: "Namespace" };

/** The ids of processes that work in the folder, as all of a control plane do, even when it has been deleted. */
async function processesIn(folder: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const places = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => "")));
  return pids.filter((_, index) => places[index]?.startsWith(folder));
}

describe("a control plane", () => {
  test.skipIf(lacks("kube-controller-manager"))("has controllers, and tokens of ServiceAccounts", async () => {
    await using plane = await ControlPlane.start();
    await plane.kubectl(["create", "namespace", "apps"]);
    const account = ["get", "serviceaccount", "default", "-n", "apps", "-o", "name"];
    await expect.poll(() => plane.kubectl(account).catch(String), { timeout: 20_000 }).toBe("serviceaccount/default\n");
    const kubeconfig = await plane.kubeconfigOf("apps", "default");
    const who = await plane.kubectl([
      "--kubeconfig",
      kubeconfig,
      "auth",
      "whoami",
      "-o",
      "jsonpath={.status.userInfo}",
    ]);
    expect(JSON.parse(who)).toMatchObject({ username: "system:serviceaccount:apps:default" });
    await expect(plane.kubectl(["--kubeconfig", kubeconfig, "get", "services", "-A"])).rejects.toThrow("Forbidden");
  });

  test("keeps port and objects when its API server is killed and started again", async () => {
    await using plane = await ControlPlane.start({ controllerManager: "none" });
    await plane.kubectl(["create", "namespace", "kept"]);
    await plane.stopApiServer("SIGKILL");
    await expect(plane.kubectl(["get", "namespace", "kept"])).rejects.toThrow("refused");
    await plane.startApiServer();
    expect(await plane.kubectl(["get", "namespace", "kept", "-o", "name"])).toBe("namespace/kept\n");
  });

  test("goes back to what etcd was, revisions included", async () => {
    await using plane = await ControlPlane.start({ controllerManager: "none" });
    const revision = async (): Promise<number> => {
      const list = await plane.kubectl(["get", "--raw", "/api/v1/namespaces?limit=1"]);
      return Number((JSON.parse(list) as { metadata: { resourceVersion: string } }).metadata.resourceVersion);
    };
    await plane.kubectl(["create", "namespace", "before"]);
    const saved = await plane.saveEtcd();
    const then = await revision();
    const many = Array.from({ length: 50 }, (_, index) => ({ ...NAMESPACE, metadata: { name: `after-${index}` } }));
    await plane.apply(many);
    const late = await revision();
    await plane.restoreEtcd(saved);
    const names = await plane.kubectl(["get", "namespaces", "-o", "name"]);
    expect(names).toContain("namespace/before\n");
    expect(names).not.toContain("namespace/after-0\n");
    expect(late - then).toBeGreaterThanOrEqual(50);
    expect(await revision()).toBeLessThan(late);
  });

  test("takes slices with the addresses of its network namespace, on which anybody in it can listen", async () => {
    await using plane = await ControlPlane.start({ controllerManager: "none" });
    const slice = (address: string): object => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "by-hand", namespace: "default" },
      addressType: "IPv4",
      endpoints: [{ addresses: [address] }],
      ports: [{ name: "ws", port: 80 }],
    });
    await expect(plane.apply([slice("127.0.0.1")])).rejects.toThrow("loopback");
    await plane.apply([slice("198.18.7.9")]);
    const backend = createServer((socket) => socket.end("hello"));
    backend.listen(0, "198.18.7.9");
    await once(backend, "listening");
    const client = connect((backend.address() as AddressInfo).port, "198.18.7.9");
    expect(String((await once(client, "data"))[0])).toBe("hello");
    backend.close();
  });

  test("that cannot start says why, in the words of the one that failed", async () => {
    const start = ControlPlane.start({ controllerManager: "none", apiServerFlags: ["--no-such-flag"] });
    const { message } = await start.then(
      () => ({ message: "it started" }),
      (error: Error) => error,
    );
    expect(message).toContain("unknown flag: --no-such-flag");
    // Its folder stays, for the logs.
    const log = /end of (\S+):/.exec(message)?.[1] ?? "";
    expect(existsSync(log)).toBe(true);
    await rm(dirname(log), { recursive: true });
  });

  test("leaves no process and no file behind", async () => {
    const plane = await ControlPlane.start({ controllerManager: "none" });
    const folder = dirname(plane.kubeconfig);
    expect(await processesIn(folder)).toHaveLength(2);
    await plane[Symbol.asyncDispose]();
    expect(await processesIn(folder)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });

  test("ends with the process that started it, even one that is killed", async () => {
    const program = `
      import { ControlPlane } from ${JSON.stringify(`${import.meta.dirname}/fixtures/control-plane.ts`)};
      const plane = await ControlPlane.start({ controllerManager: "none" });
      console.log(plane.kubeconfig);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [kubeconfig] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    const folder = dirname(kubeconfig);
    expect(await processesIn(folder)).toHaveLength(2);
    child.kill("SIGKILL");
    await expect.poll(() => processesIn(folder), { timeout: 10_000 }).toEqual([]);
    await rm(folder, { recursive: true });
  });
});
