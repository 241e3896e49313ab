import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { TimerWheel } from "../relay/index.ts";
import { type HandshakeAnswer, sendHandshake } from "./backend-handshake.ts";
import { dial } from "./dial.ts";
import { Cleanups, switchHead } from "./proxy.fixture.ts";
import { formatRequestHead } from "./request-head.ts";
import { EARLY, INTERIM, startScripted } from "./scripted-backend.fixture.ts";
import type { OutgoingHead } from "./types.ts";

const HEAD: OutgoingHead = {
  method: "GET",
  target: "/chat",
  headers: [
    ["Host", "a.example"],
    ["Connection", "Upgrade"],
    ["Upgrade", "websocket"],
  ],
};

function standingWheel(): TimerWheel {
  return new TimerWheel({ now: () => 0, tickMs: 10 });
}

async function connectTo(cleanups: Cleanups, port: number, wheel = standingWheel()): Promise<Socket> {
  const target = { address: "127.0.0.1", port };
  const socket = await new Promise<Socket>((resolve, reject) => {
    dial(target, { wheel, timeoutMs: 3_000, isForbidden: undefined }, (result) => {
      if ("socket" in result) resolve(result.socket);
      else reject(new Error(result.reason));
    });
  });
  cleanups.add(() => void socket.destroy());
  expect(wheel.size).toBe(0);
  return socket;
}

function listenersOf(socket: Socket): Record<string, number> {
  return Object.fromEntries(socket.eventNames().map((event) => [String(event), socket.listenerCount(event)]));
}

async function ask(socket: Socket, head = HEAD): Promise<HandshakeAnswer> {
  const answers: HandshakeAnswer[] = [];
  sendHandshake(socket, head, { maxHeadBytes: 16 * 1024 }, (answer) => answers.push(answer));
  expect(answers).toEqual([]);
  await expect.poll(() => answers, { interval: 1 }).toHaveLength(1);
  return answers[0]!;
}

describe("sendHandshake", () => {
  test.for<{ name: string; pieces: string[] }>([
    { name: "in one piece", pieces: [switchHead() + EARLY] },
    { name: "in pieces", pieces: [switchHead().slice(0, 30), switchHead().slice(30) + EARLY] },
    { name: "behind interim answers", pieces: [INTERIM, switchHead() + EARLY] },
    { name: "that only a full parser reads", pieces: [switchHead(["Content-Length: 0"]) + EARLY] },
  ])("a 101 $name leaves nothing of its own on the socket", async ({ pieces }) => {
    await using cleanups = new Cleanups();
    const { port } = await startScripted(cleanups, { pieces });
    const socket = await connectTo(cleanups, port);
    const before = { listeners: listenersOf(socket), keys: Object.keys(socket).includes("write") };
    const answer = await ask(socket);
    expect(answer).toMatchObject({ kind: "switched", early: Buffer.from(EARLY, "latin1") });
    expect({ listeners: listenersOf(socket), keys: Object.keys(socket).includes("write") }).toEqual(before);
  });

  test.for([
    { name: "as it is", more: [] },
    { name: "with Expect", more: [["Expect", "100-continue"]] as const },
  ])(
    "the backend gets the head once and nothing behind it, when its answer is not the everyday one: $name",
    async ({ more }) => {
      await using cleanups = new Cleanups();
      const head = { ...HEAD, headers: [...HEAD.headers, ...more] };
      const backend = await startScripted(cleanups, {
        pieces: ["HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"],
      });
      const socket = await connectTo(cleanups, backend.port);
      const answer = await ask(socket, head);
      expect(answer.kind).toBe("refused");
      if (answer.kind === "refused") answer.response.resume();
      await expect.poll(() => backend.sockets[0]?.readableEnded).toBe(true);
      expect(backend.received).toEqual([formatRequestHead(head)]);
    },
  );

  test("a head that cannot be written is a TypeError, and the socket is as it was", async () => {
    await using cleanups = new Cleanups();
    const backend = await startScripted(cleanups, { pieces: [] });
    const socket = await connectTo(cleanups, backend.port);
    const before = listenersOf(socket);
    const head = { ...HEAD, headers: [["X", "a\r\nY: b"]] as const };
    const done = (): void => expect.unreachable();
    expect(() => sendHandshake(socket, head, { maxHeadBytes: 1_000 }, done)).toThrow(TypeError);
    expect(listenersOf(socket)).toEqual(before);
    socket.end();
    await expect.poll(() => backend.sockets[0]?.readableEnded).toBe(true);
    expect(backend.received).toEqual([""]);
  });
});
