import { expect, test } from "vitest";
import { parseEndpointSlice, parseService, parseWebSocketRoute } from "../api/index.ts";
import { proxyManifests } from "./proxy-manifests.ts";

const source = {
  kind: "proxy" as const,
  to: [
    { host: "127.0.0.1", port: 8010 },
    { host: "::1", port: 8011 },
    { host: "chat.internal", port: 80 },
    { host: "localhost", port: 8012 },
  ],
  path: "/wsapp/",
  rewrite: "/",
};

test("every manifest follows its schema", () => {
  const readers: Record<string, (object: unknown) => { ok: boolean }> = {
    WebSocketRoute: parseWebSocketRoute,
    Service: parseService,
    EndpointSlice: parseEndpointSlice,
  };
  for (const manifest of proxyManifests(source)) {
    expect(readers[manifest.kind]?.(manifest), manifest.kind).toMatchObject({ ok: true });
  }
});

test("addresses share one Service, names have one each, and every backend has the same share", () => {
  const manifests = proxyManifests(source);
  expect(manifests.filter(({ kind }) => kind === "Service")).toHaveLength(3);
  expect(manifests.filter(({ kind }) => kind === "EndpointSlice")).toHaveLength(2);
  expect(manifests[0]).toMatchObject({
    spec: {
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/wsapp/" } }],
          backendRefs: [
            { name: "backends", weight: 2 },
            { name: "name-1", port: 80, weight: 1 },
            { name: "name-2", port: 8012, weight: 1 },
          ],
          loadBalancing: { algorithm: "RoundRobin" },
          rewrite: { path: { type: "ReplacePrefixMatch", value: "/" } },
        },
      ],
    },
  });
});

test("names alone need no slices, and without a rewrite the path stays", () => {
  const manifests = proxyManifests({ ...source, to: [{ host: "a.example", port: 1 }], rewrite: undefined });
  expect(manifests.map(({ kind }) => kind)).toEqual(["WebSocketRoute", "Service"]);
  expect(JSON.stringify(manifests)).not.toContain("rewrite");
});
