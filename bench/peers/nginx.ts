import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Child } from "./child.ts";
import { descriptorLimit } from "./descriptors.ts";
import { type Peer, type PeerPlace, RunningPeer } from "./peer.ts";
import { findProgram, saying } from "./programs.ts";
import { freePort } from "./upgrade-probe.ts";

const CONNECTIONS = 20_000;
const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** NGINX as its own documentation has it for WebSocket (nginx.org/en/docs/http/websocket.html), with one worker. */
export const nginx: Peer = {
  name: "nginx",
  howToGet: "install nginx-light",
  version: () => {
    const program = findProgram("nginx");
    return program === undefined ? undefined : /nginx\/(\S+)/.exec(saying(program, ["-v"]))?.[1];
  },
  start: async (place) => {
    const port = await freePort();
    const configuration = join(place.folder, "nginx.conf");
    await writeFile(configuration, nginxConfiguration(place, port));
    // Without -e it opens the log of the machine's own NGINX before it reads a word of its configuration.
    const args = ["-p", place.folder, "-e", join(place.folder, "error.log"), "-c", configuration];
    const child = await Child.start([...place.pin, findProgram("nginx") ?? "nginx", ...args], {
      outputFile: join(place.folder, "output.log"),
      endSignal: "SIGTERM",
    });
    return RunningPeer.of(child, () => port);
  },
};

function nginxConfiguration({ backendPort, folder }: PeerPlace, port: number): string {
  // Only root may choose, and only root has to: its workers would become another user, who cannot enter the folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `${user}
daemon off;
worker_processes 1;
worker_rlimit_nofile ${Math.min(CONNECTIONS, descriptorLimit())};
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections ${CONNECTIONS}; }
http {
  access_log off;
${TEMPORARY.map((name) => `  ${name}_temp_path ${folder}/${name};`).join("\n")}
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${backendPort};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }
  }
}
`;
}
