import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Child } from "./child.ts";
import { descriptorLimit } from "./descriptors.ts";
import { type Peer, type PeerPlace, RunningPeer } from "./peer.ts";
import { findProgram, saying } from "./programs.ts";
import { freePort } from "./upgrade-probe.ts";

/** Two descriptors each, and HAProxy refuses to start when the limit does not cover them and some of its own. */
const TUNNELS = 9_950;
const OWN_DESCRIPTORS = 100;

/** HAProxy with one thread; it knows upgrades by itself (its configuration manual, "timeout tunnel"). */
export const haproxy: Peer = {
  name: "haproxy",
  howToGet: "install haproxy",
  version: () => {
    const program = findProgram("haproxy");
    return program === undefined ? undefined : /version (\S+)/.exec(saying(program, ["-v"]))?.[1];
  },
  start: async (place) => {
    const port = await freePort();
    const configuration = join(place.folder, "haproxy.cfg");
    await writeFile(configuration, haproxyConfiguration(place, port));
    // -db: one process, in the foreground.
    const child = await Child.start([...place.pin, findProgram("haproxy") ?? "haproxy", "-db", "-f", configuration], {
      outputFile: join(place.folder, "output.log"),
      endSignal: "SIGTERM",
    });
    return RunningPeer.of(child, () => port);
  },
};

function haproxyConfiguration({ backendPort }: PeerPlace, port: number): string {
  return `global
  nbthread 1
  maxconn ${Math.min(TUNNELS, Math.floor((descriptorLimit() - OWN_DESCRIPTORS) / 2))}
defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-request 10s
  timeout tunnel 1h
frontend clients
  bind 127.0.0.1:${port}
  default_backend backends
backend backends
  server backend 127.0.0.1:${backendPort}
`;
}
