import { afterEach, expect, test, vi } from "vitest";
import type { OperatorOrder } from "../operator/index.ts";
import { type CliResult, parseCli, WRONG_USAGE } from "./cli.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

function cli(line: string): { result: CliResult; out: string; err: string } {
  let out = "";
  let err = "";
  const args = line.split(" ").map((word) => word.replaceAll("_", " "));
  const result = parseCli(args, "1.2.3", { out: (text) => (out += text), err: (text) => (err += text) });
  return { result, out, err };
}

function orderOf(line: string): OperatorOrder {
  const { result, err } = cli(line);
  if (result.kind !== "operate") throw new Error(`refused: ${err}`);
  return result.order;
}

const HERE = { kind: "tcp", host: "127.0.0.1", port: 9090 };

test.for<{ line: string; what: unknown }>([
  { line: "tunnels", what: { kind: "list", list: "tunnels", query: {}, limit: 100 } },
  {
    line:
      "tunnels --route apps/chat --rule main --upstream apps/chat:80 --backend 10.0.0.5:80 --client 10.0.0.0/8 --id abc " +
      "--older-than 1h --idle-for 10m --limit 0",
    what: {
      kind: "list",
      list: "tunnels",
      query: {
        route: "apps/chat",
        rule: "main",
        upstream: "apps/chat:80",
        backend: "10.0.0.5:80",
        client: "10.0.0.0/8",
        id: "abc",
        olderThan: "1h",
        idleFor: "10m",
      },
      limit: 0,
    },
  },
  {
    line: "backends --upstream apps/chat:80",
    what: { kind: "list", list: "backends", query: { upstream: "apps/chat:80" }, limit: 100 },
  },
  {
    line: "routes --route apps/chat --limit 5",
    what: { kind: "list", list: "routes", query: { route: "apps/chat" }, limit: 5 },
  },
  { line: "drains", what: { kind: "list", list: "drains", query: {}, limit: 100 } },
  { line: "close --id abc", what: { kind: "drain", path: "/v1/tunnels/close", body: { id: "abc" }, wait: false } },
  // An id may begin like a flag.
  {
    line: "close --id -nOv --wait",
    what: { kind: "drain", path: "/v1/tunnels/close", body: { id: "-nOv" }, wait: true },
  },
  { line: "close --all --wait", what: { kind: "drain", path: "/v1/tunnels/close", body: { all: true }, wait: true } },
  {
    line: "close --client 10.0.0.9 --within 30s --per-second 5 --code 4001 --reason log_in_again",
    what: {
      kind: "drain",
      path: "/v1/tunnels/close",
      body: { client: "10.0.0.9", within: "30s", perSecond: 5, code: 4001, reason: "log in again" },
      wait: false,
    },
  },
  { line: "drain", what: { kind: "drain", path: "/v1/drains", body: {}, wait: false } },
  {
    line: "drain --within 1m --grace 5s --wait",
    what: { kind: "drain", path: "/v1/drains", body: { within: "1m", grace: "5s" }, wait: true },
  },
  {
    line: "drain --backend 10.0.0.5:80 --per-second 0",
    what: { kind: "drain", path: "/v1/drains", body: { backend: "10.0.0.5:80", perSecond: 0 }, wait: false },
  },
  { line: "drain --stop", what: { kind: "stop", id: "process" } },
  { line: "drain --backend 10.0.0.5:80 --stop", what: { kind: "stop", id: "backend/10.0.0.5:80" } },
  { line: "drain --stop close/3", what: { kind: "stop", id: "close/3" } },
])("holdfast $line", ({ line, what }) => {
  expect(orderOf(line)).toEqual({ at: HERE, output: "table", what });
});

test.for<{ name: string; line: string; env?: Record<string, string>; at: OperatorOrder["at"] }>([
  { name: "an address", line: "--admin 127.0.0.2:9999", at: { kind: "tcp", host: "127.0.0.2", port: 9999 } },
  { name: "an IPv6 address", line: "--admin [::1]:9999", at: { kind: "tcp", host: "::1", port: 9999 } },
  {
    name: "what a replica listens on, on every address",
    line: "--admin :9999",
    at: { kind: "tcp", host: "127.0.0.1", port: 9999 },
  },
  {
    name: "the same, as IPv4 writes it",
    line: "--admin 0.0.0.0:9999",
    at: { kind: "tcp", host: "127.0.0.1", port: 9999 },
  },
  { name: "a socket", line: "--admin-socket /run/hf.sock", at: { kind: "socket", path: "/run/hf.sock" } },
  {
    name: "the address that the container's variable says",
    line: "",
    env: { HOLDFAST_ADMIN: ":9191" },
    at: { kind: "tcp", host: "127.0.0.1", port: 9191 },
  },
  {
    name: "the socket that a variable says, before the port that one says",
    line: "",
    env: { HOLDFAST_ADMIN: ":9191", HOLDFAST_ADMIN_SOCKET: "/run/hf.sock" },
    at: { kind: "socket", path: "/run/hf.sock" },
  },
  {
    name: "the socket, where the port is off",
    line: "",
    env: { HOLDFAST_ADMIN: "off", HOLDFAST_ADMIN_SOCKET: "/run/hf.sock" },
    at: { kind: "socket", path: "/run/hf.sock" },
  },
  {
    name: "the port of the command line, before the socket of a variable",
    line: "--admin :9292",
    env: { HOLDFAST_ADMIN_SOCKET: "/run/hf.sock" },
    at: { kind: "tcp", host: "127.0.0.1", port: 9292 },
  },
])("asked is $name", ({ line, env, at }) => {
  for (const [name, value] of Object.entries(env ?? {})) vi.stubEnv(name, value);
  expect(orderOf(`tunnels ${line}`.trim()).at).toEqual(at);
});

test("json is asked for by -o json", () => {
  expect(orderOf("drains -o json").output).toBe("json");
});

test("what is to be done comes from the command line alone", () => {
  for (const name of ["ALL", "ID", "STOP", "WITHIN", "CODE", "LIMIT", "BACKEND"]) vi.stubEnv(`HOLDFAST_${name}`, "1");
  expect(orderOf("drain").what).toEqual({ kind: "drain", path: "/v1/drains", body: {}, wait: false });
  expect(cli("close").result).toEqual({ kind: "exit", exitCode: WRONG_USAGE });
});

test.for([
  { line: "close", says: "say which tunnels, by one filter or more, or --all" },
  { line: "close --all --id abc", says: "--all means every tunnel: leave it out, or the filter" },
  { line: "close --all --code 12", says: "Allowed are whole numbers from 1000 to 4999" },
  { line: "close --all --within soon", says: "Allowed are durations such as 500ms" },
  { line: "drain --stop --within 5s", says: "--stop goes with --backend only" },
  { line: "drain --stop --wait", says: "--stop goes with --backend only" },
  { line: "tunnels --older-than 5", says: "Allowed are durations such as 500ms" },
  { line: "tunnels --limit -1", says: "Allowed are whole numbers from 0" },
  { line: "tunnels -o yaml", says: "Allowed choices are table, json" },
  { line: "tunnels --client", says: "argument missing" },
  { line: "tunnels chat", says: "too many arguments" },
  { line: "tunnels --admin off", says: "the admin port is off. Say with --admin-socket or --admin" },
  { line: "tunnels --admin :1 --admin-socket /x", says: "give --admin or --admin-socket, not both" },
  { line: `tunnels --admin-socket ${"x".repeat(108)}`, says: "Allowed are paths of up to 107 bytes" },
  { line: "tunels", says: "Did you mean tunnels?" },
])("holdfast $line is wrong usage: $says", ({ line, says }) => {
  const { result, err } = cli(line);
  expect(result).toEqual({ kind: "exit", exitCode: WRONG_USAGE });
  expect(err).toContain(says);
});

test.for(["serve --source files --dir x", "proxy --to a:1"])("%s takes a socket for operators", (line) => {
  const { result } = cli(`${line} --admin-socket /run/hf.sock`);
  expect(result).toMatchObject({ kind: "run", config: { adminSocket: "/run/hf.sock" } });
});

test.for(["tunnels", "backends", "routes", "drains", "close", "drain"])(
  "the help of %s says where it asks",
  (command) => {
    const { result, out } = cli(`${command} --help`);
    expect(result).toEqual({ kind: "exit", exitCode: 0 });
    const help = out.replaceAll(/\s+/g, " ");
    expect(help).toContain("(default: 127.0.0.1:9090, env: HOLDFAST_ADMIN)");
    expect(help).toContain("env: HOLDFAST_ADMIN_SOCKET");
  },
);
