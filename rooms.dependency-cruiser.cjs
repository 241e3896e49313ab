// The rooms of src/ and what each may import. One table; the rules are made from it, and test/rooms.test.ts proves
// that they can fail. Needs @swc/core beside dependency-cruiser while the project is on TypeScript 7: without it
// dependency-cruiser sees no modules and reports success.
const ROOMS = {
  api: { rooms: [], npm: ["zod", "@marcbachmann/cel-js"], node: [] },
  routing: { rooms: [], npm: [], node: [] },
  graph: { rooms: ["api", "routing"], npm: [], node: [] },
  status: { rooms: ["api", "graph"], npm: [], node: [] },
  upstream: { rooms: ["routing"], npm: [], node: ["crypto"] },
  relay: { rooms: [], npm: [], node: ["net", "stream"] },
  health: { rooms: ["routing", "upstream", "relay"], npm: ["ws"], node: ["http", "net"] },
  drain: { rooms: ["routing", "upstream", "relay"], npm: [], node: [] },
  admission: { rooms: ["routing", "upstream", "relay"], npm: [], node: [] },
  proxy: {
    rooms: ["routing", "upstream", "relay", "admission"],
    npm: ["undici"],
    node: ["http", "net", "crypto", "stream", "url"],
  },
  files: { rooms: ["api", "graph", "controller", "dns", "status"], npm: ["yaml"], node: ["fs", "path"] },
  controller: { rooms: ["graph", "routing", "upstream", "status"], npm: [], node: [] },
  telemetry: {
    rooms: ["proxy", "relay", "upstream", "drain", "admission", "health", "controller"],
    npm: ["pino", "pino-pretty", "prom-client"],
    node: ["perf_hooks"],
  },
  admin: { rooms: ["api"], npm: ["zod"], node: ["http", "net", "fs", "path"] },
  operator: { rooms: [], npm: ["zod"], node: ["http", "stream", "timers"] },
  dns: { rooms: ["api", "graph", "controller"], npm: [], node: ["dns", "net"] },
  kube: {
    rooms: ["api", "graph", "controller", "status", "dns"],
    npm: ["@kubernetes/client-node"],
    node: ["fs", "http", "https", "net", "os", "timers"],
  },
  app: { rooms: "*", npm: ["commander", "zod"], node: "*" },
};
const alt = (xs) => `(${xs.join("|")})`;
const rules = Object.entries(ROOMS).flatMap(([room, may]) => {
  const from = { path: `^src/${room}/`, pathNot: "[.](test|contract|fixture)[.]ts$" };
  const out = [];
  if (may.rooms !== "*")
    out.push({
      name: `${room}-rooms`,
      severity: "error",
      comment: `${room}/ may import only: ${[...may.rooms, "itself"].join(", ")}`,
      from,
      to: { path: "^src/", pathNot: `^src/${alt([room, ...may.rooms])}/` },
    });
  out.push({
    name: `${room}-front-door`,
    severity: "error",
    comment: "reach another room through its index.ts only",
    from,
    to: { path: "^src/[^/]+/", pathNot: `^src/${room}/|^src/[^/]+/index[.]ts$` },
  });
  out.push({
    name: `${room}-npm`,
    severity: "error",
    comment: `packages allowed in ${room}/: ${may.npm.join(", ") || "none"}`,
    from,
    to: {
      dependencyTypes: ["npm", "npm-dev", "npm-peer", "npm-optional", "npm-no-pkg", "npm-unknown"],
      pathNot: may.npm.length ? `node_modules/${alt(may.npm)}/` : "^$",
    },
  });
  if (may.node !== "*")
    out.push({
      name: `${room}-node`,
      severity: "error",
      comment: `node modules allowed in ${room}/: ${may.node.join(", ") || "none"}`,
      from,
      to: { dependencyTypes: ["core"], pathNot: may.node.length ? `^(node:)?${alt(may.node)}(/|$)` : "^$" },
    });
  return out;
});
module.exports = {
  forbidden: [
    ...rules,
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-unknown-room",
      severity: "error",
      comment: "every file of src/ lies in a room of the table",
      from: {},
      to: { path: "^src/", pathNot: `^src/${alt(Object.keys(ROOMS))}/` },
    },
    {
      name: "relay-hot-path-is-clean",
      severity: "error",
      comment: "nothing the byte relay can reach may log, count or talk to Kubernetes",
      from: { path: "^src/relay/" },
      to: { path: "node_modules/(pino|prom-client|@kubernetes)", reachable: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
  },
};
