import { chmod, mkdir, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { Credentials } from "./index.ts";
import { kubeconfigText, LogLines, temporaryFolder } from "./kube.fixture.ts";

/** A clock by hand. */
function clock() {
  const time = { nowMs: 0 };
  return { time, now: () => time.nowMs };
}

async function serviceAccount(token: string): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(`${folder}/token`, token);
  await writeFile(`${folder}/ca.crt`, "CA ONE");
  await writeFile(`${folder}/namespace`, "holdfast-system");
  return folder;
}

const inCluster = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };

describe("where credentials come from", () => {
  test("in a pod: from its ServiceAccount's files, whatever newline ends the token", async () => {
    const folder = await serviceAccount("abc\n");
    const log = new LogLines();
    const credentials = await Credentials.load({ env: inCluster, log, serviceAccountFolder: folder });
    const { server, headers, tls } = await credentials.access();
    expect(credentials.namespace).toBe("holdfast-system");
    expect(server.href).toBe("https://[fd00::1]:6443/");
    expect(headers).toEqual({ authorization: "Bearer abc" });
    expect(String(tls.ca)).toBe("CA ONE");
  });

  test("KUBECONFIG wins over the pod's, the file named by hand over both, ~/.kube/config comes last", async () => {
    const folder = await temporaryFolder();
    await mkdir(`${folder}/.kube`);
    const write = async (name: string): Promise<string> => {
      await writeFile(`${folder}/${name}`, kubeconfigText(`https://${name.replace("/", "")}`));
      return `${folder}/${name}`;
    };
    const [named, listed] = [await write("named"), await write("listed")];
    await write(".kube/config");
    const serviceAccountFolder = await serviceAccount("t");
    const hostOf = async (kubeconfig: string | undefined, env: Record<string, string>): Promise<string> => {
      const log = new LogLines();
      const credentials = await Credentials.load({ kubeconfig, env, log, serviceAccountFolder });
      return (await credentials.access()).server.hostname;
    };
    const all = { KUBECONFIG: listed, HOME: folder, ...inCluster };
    expect(await hostOf(named, all)).toBe("named");
    expect(await hostOf(undefined, all)).toBe("listed");
    expect(await hostOf(undefined, { HOME: folder, ...inCluster })).toBe("[fd00::1]");
    expect(await hostOf(undefined, { HOME: folder })).toBe(".kubeconfig");
  });

  test("several files in KUBECONFIG are one, where the first to say a thing wins; missing ones are passed over", async () => {
    const folder = await temporaryFolder();
    await writeFile(`${folder}/a`, kubeconfigText("https://first"));
    await writeFile(`${folder}/b`, kubeconfigText("https://second"));
    const env = { KUBECONFIG: `${folder}/missing:${folder}/a:${folder}/b` };
    const credentials = await Credentials.load({ env, log: new LogLines() });
    expect((await credentials.access()).server.hostname).toBe("first");
    expect(credentials.namespace).toBe("apps");
  });

  test.for<{ name: string; user: object; server?: string; headers: Record<string, string> }>([
    {
      name: "a name and a password",
      user: { username: "me", password: "pw" },
      headers: { authorization: "Basic bWU6cHc=" },
    },
    {
      name: "a token, and on behalf of another",
      user: { token: "t", as: "jane" },
      headers: { authorization: "Bearer t", "impersonate-user": "jane" },
    },
    { name: "nothing, by a server without TLS", user: {}, server: "http://127.0.0.1:8001", headers: {} },
  ])("a kubeconfig may say $name", async ({ user, server = "https://x", headers }) => {
    const file = `${await temporaryFolder()}/config`;
    await writeFile(file, kubeconfigText(server, user));
    const credentials = await Credentials.load({ kubeconfig: file, env: {}, log: new LogLines() });
    expect((await credentials.access()).headers).toEqual(headers);
  });

  test.for<{ name: string; text: string | undefined; words: RegExp }>([
    { name: "a file that is missing", text: undefined, words: /config does not exist or cannot be read/ },
    { name: "an empty file", text: "", words: /config is no kubeconfig: / },
    { name: "a text that is no object", text: "hello", words: /config is no kubeconfig: it is no YAML object/ },
    { name: "no YAML", text: "{", words: /config is no kubeconfig: / },
    { name: "no context", text: "{}", words: /current-context "" names no cluster/ },
    { name: "a server that is no URL", text: kubeconfigText("what"), words: /server "what" is no URL/ },
  ])("$name is said in words", async ({ text, words }) => {
    const file = `${await temporaryFolder()}/config`;
    if (text !== undefined) await writeFile(file, text);
    await expect(Credentials.load({ kubeconfig: file, env: {}, log: new LogLines() })).rejects.toThrow(words);
  });

  test("without any, the words name all places", async () => {
    const env = { HOME: await temporaryFolder() };
    const loading = Credentials.load({ env, log: new LogLines() });
    await expect(loading).rejects.toThrow(
      /no credentials .*--kubeconfig or KUBECONFIG.*in a pod.*\.kube\/config does not exist/,
    );
  });
});

describe("credentials that change while we run", () => {
  test("a pod's token is read again after a minute, and at once when it was refused", async () => {
    const folder = await serviceAccount("one");
    const { time, now } = clock();
    const credentials = await Credentials.load({
      env: inCluster,
      log: new LogLines(),
      now,
      serviceAccountFolder: folder,
    });
    const tokenNow = async () => (await credentials.access()).headers["authorization"];
    expect(await tokenNow()).toBe("Bearer one");
    await writeFile(`${folder}/token`, "two");
    time.nowMs = 59_000;
    expect(await tokenNow()).toBe("Bearer one");
    time.nowMs = 60_000;
    expect(await tokenNow()).toBe("Bearer two");
    await writeFile(`${folder}/token`, "three");
    expect(await credentials.refused(await credentials.access())).toBe(true);
    expect(await tokenNow()).toBe("Bearer three");
  });

  test("another CA needs other connections, another token does not", async () => {
    const folder = await serviceAccount("one");
    const { time, now } = clock();
    const credentials = await Credentials.load({
      env: inCluster,
      log: new LogLines(),
      now,
      serviceAccountFolder: folder,
    });
    const first = await credentials.access();
    time.nowMs = 60_000;
    expect(await credentials.access()).toBe(first);
    await writeFile(`${folder}/token`, "two");
    time.nowMs = 120_000;
    const second = await credentials.access();
    expect(second.connectionKey).toBe(first.connectionKey);
    await writeFile(`${folder}/ca.crt`, "CA TWO");
    time.nowMs = 180_000;
    expect((await credentials.access()).connectionKey).not.toBe(first.connectionKey);
  });

  test("a refusal of the same credentials by many requests reads once a second, and says that nothing is new", async () => {
    const folder = await temporaryFolder();
    // Counts how often it is run; its answers are all alike.
    const program = `${folder}/credential`;
    const answer = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}';
    await writeFile(program, `#!/bin/sh\necho run >> ${folder}/runs\necho '${answer}'\n`);
    await chmod(program, 0o755);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: program, interactiveMode: "Never" };
    await writeFile(`${folder}/config`, kubeconfigText("https://x", { exec }));
    const { readFile } = await import("node:fs/promises");
    const runs = async () => (await readFile(`${folder}/runs`, "utf8")).split("\n").length - 1;
    const { time, now } = clock();
    const credentials = await Credentials.load({ kubeconfig: `${folder}/config`, env: {}, log: new LogLines(), now });
    const access = await credentials.access();
    expect(access.headers).toEqual({ authorization: "Bearer t" });
    time.nowMs = 60_000;
    expect(await credentials.access()).toBe(access);
    expect(await runs()).toBe(1);
    for (let times = 0; times < 5; times++) expect(await credentials.refused(access)).toBe(false);
    expect(await runs()).toBe(2);
    time.nowMs = 61_000;
    await Promise.all([credentials.refused(access), credentials.refused(access)]);
    expect(await runs()).toBe(3);
  });

  test("a kubeconfig and the token file that it names are read again", async () => {
    const folder = await temporaryFolder();
    await writeFile(`${folder}/token`, "one\n");
    await writeFile(`${folder}/config`, kubeconfigText("https://first", { tokenFile: "token" }));
    const { time, now } = clock();
    const credentials = await Credentials.load({ kubeconfig: `${folder}/config`, env: {}, log: new LogLines(), now });
    expect((await credentials.access()).headers).toEqual({ authorization: "Bearer one" });
    await writeFile(`${folder}/token`, "two\n");
    time.nowMs = 60_000;
    expect((await credentials.access()).headers).toEqual({ authorization: "Bearer two" });
    await writeFile(`${folder}/config`, kubeconfigText("https://second", { token: "three" }));
    time.nowMs = 120_000;
    const { server, headers } = await credentials.access();
    expect([server.hostname, headers["authorization"]]).toEqual(["second", "Bearer three"]);
  });

  test("what cannot be read leaves the last in use, and is said once when it begins and once when it ends", async () => {
    const folder = await serviceAccount("one");
    const log = new LogLines();
    const { time, now } = clock();
    const credentials = await Credentials.load({ env: inCluster, log, now, serviceAccountFolder: folder });
    await credentials.access();
    await writeFile(`${folder}/token`, "");
    for (const minutes of [1, 2, 3]) {
      time.nowMs = minutes * 60_000;
      expect((await credentials.access()).headers["authorization"]).toBe("Bearer one");
    }
    expect(log.of("warn")).toHaveLength(1);
    await writeFile(`${folder}/token`, "two");
    time.nowMs = 240_000;
    expect((await credentials.access()).headers["authorization"]).toBe("Bearer two");
    expect(log.of("info")).toEqual(["credentials can be read again"]);
  });
});
