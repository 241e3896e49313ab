import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { durationMs, parseEndpointSlice, parseService, parseWebSocketRoute } from "../../src/api/index.ts";
import { parseCli } from "../../src/app/cli.ts";
import { sidecarExample } from "../integration/fixtures/native-sidecar.ts";

const { files, pod } = sidecarExample();
const [holdfast] = pod.initContainers;
const hook = pod.containers[0].lifecycle.preStop.exec.command.join(" ");

test("every manifest of the example's folder is one that Holdfast takes", () => {
  const objects = Object.values(files).flatMap((text) => parseAllDocuments(text).map((each) => each.toJS() as unknown));
  const parsers = [parseWebSocketRoute, parseService, parseEndpointSlice];
  expect(objects).toHaveLength(parsers.length);
  for (const [index, parse] of parsers.entries()) expect(parse(objects[index])).toMatchObject({ ok: true });
});

test("the example's flags are accepted, and its end leaves no time to wait for", () => {
  const said: string[] = [];
  const output = { out: (text: string) => said.push(text), err: (text: string) => said.push(text) };
  expect(parseCli(holdfast.args ?? [], "1.2.3", output), said.join("")).toMatchObject({
    kind: "run",
    config: { source: { kind: "files" }, shutdown: { graceMs: 0 } },
  });
});

test("the hook, the application and Holdfast end one after the other within the Pod's grace", () => {
  const seconds = (pattern: RegExp): number => Number(pattern.exec(hook)?.[1]);
  const [within, most] = [durationMs(/"within": "(\w+)"/.exec(hook)?.[1] ?? ""), seconds(/--max-time (\d+)/)];
  expect(durationMs(/"grace": "(\w+)"/.exec(hook)?.[1] ?? "")).toBeLessThan(within / 2);
  // Whoever is closed has 5 s to answer.
  expect(most * 1000).toBeGreaterThanOrEqual(within + 5_000);
  const deadline = /--shutdown-deadline=(\w+)/.exec(holdfast.args?.join(" ") ?? "")?.[1] ?? "";
  expect(most + 5 + durationMs(deadline) / 1000).toBeLessThanOrEqual(pod.terminationGracePeriodSeconds);
});
