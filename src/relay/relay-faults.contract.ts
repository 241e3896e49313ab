import { describe, expect, test } from "vitest";
import type { FrameFault } from "./index.ts";
import * as stageKit from "./relay-stage.contract.ts";

const { CLOSE, PING, Stage, TEXT, closePayload, fragment, frame, frameHead, until } = stageKit;

const HELLO = Buffer.from("hello");
const RSV1 = 0x40;
const PER_MESSAGE_DEFLATE = { subprotocol: undefined, reservedBits: RSV1 };

type From = "client" | "backend";

interface FaultCase {
  readonly name: FrameFault;
  /** Frames that commit it, in both directions. */
  readonly bytes: (from: From) => Buffer;
  readonly losesFraming?: true;
}

function reserved(from: From): Buffer {
  const bytes = frame(from, TEXT, HELLO);
  bytes.writeUInt8(bytes.readUInt8(0) | RSV1, 0);
  return bytes;
}

/** Five bytes of payload behind a length that spends two more bytes than it needs. */
function longWinded(from: From): Buffer {
  const [first, second, ...rest] = frame(from, TEXT, HELLO);
  return Buffer.from([first ?? 0, ((second ?? 0) & 0x80) | 126, 0, HELLO.length, ...rest]);
}

const FAULTS: readonly FaultCase[] = [
  { name: "reserved_bits", bytes: reserved },
  { name: "bad_length", bytes: longWinded },
  { name: "reserved_opcode", bytes: (from) => frame(from, 3, HELLO), losesFraming: true },
  { name: "bad_control", bytes: (from) => fragment(from, PING, HELLO), losesFraming: true },
  { name: "bad_continuation", bytes: (from) => frame(from, 0, HELLO), losesFraming: true },
  {
    name: "bad_mask",
    bytes: (from) => frame(from === "client" ? "backend" : "client", TEXT, HELLO),
    losesFraming: true,
  },
];

/** What sides do against RFC 6455. Nobody is closed for it: it passes as it came, and the end tells of it. */
export function faultsContract(factory: stageKit.RelayFactory): void {
  describe("a fault is counted and passes as it came:", () => {
    const sides = ["client", "backend"] as const;
    const cases = FAULTS.flatMap((fault) => sides.map((from) => ({ ...fault, from })));

    test.for(cases)("$name of a $from", async ({ name, from, bytes, losesFraming = false }) => {
      const stage = new Stage(factory);
      const joined = await stage.join();
      const to = from === "client" ? "backend" : "client";
      const good = frame(from, TEXT, HELLO);
      const sent = Buffer.concat([good, bytes(from), good, good]);
      joined[from].say(sent);
      await until(() => expect(joined[to].received).toEqual(sent));
      joined.tunnel.close("proxy_shutdown");
      // Where the framing is lost a Close would go into the middle of something: FIN is all there is to say.
      await until(() => expect(joined[to].hasEnded || joined[to].closeCodes.length > 0).toBe(true));
      if (losesFraming) expect(joined[to].received).toEqual(sent);
      else expect(joined[to].closeCodes).toEqual([to === "client" ? 1_012 : 1_001]);
      joined.tunnel.cut();
      const end = await stage.end();
      expect(end).toMatchObject({ opaque: losesFraming });
      expect(end.clientFaults).toEqual(from === "client" ? { count: 1, first: name } : undefined);
      expect(end.backendFaults).toEqual(from === "backend" ? { count: 1, first: name } : undefined);
    });

    test.for([
      { name: "of one byte", payload: Buffer.of(3) },
      { name: "with a code that no frame may carry", payload: closePayload(1_005) },
      { name: "with a reason that is not UTF-8", payload: Buffer.concat([closePayload(1_000), Buffer.of(0xff)]) },
    ])("a Close $name", async ({ payload }) => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      client.say(frame("client", CLOSE, payload));
      await until(() => expect(backend.received).toEqual(frame("client", CLOSE, payload)));
      tunnel.cut();
      expect((await stage.end()).clientFaults).toEqual({ count: 1, first: "bad_close" });
    });

    test("several: all are counted, the first is named", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      const sent = Buffer.concat([longWinded("client"), reserved("client"), reserved("client")]);
      client.say(sent);
      await until(() => expect(backend.received).toEqual(sent));
      tunnel.cut();
      expect((await stage.end()).clientFaults).toEqual({ count: 3, first: "bad_length" });
    });
  });

  describe("no fault is", () => {
    test("the bit that permessage-deflate owns, on the first frame of a message", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join({ negotiated: PER_MESSAGE_DEFLATE });
      const sent = Buffer.concat([reserved("client"), frame("client", TEXT, HELLO)]);
      client.say(sent);
      await until(() => expect(backend.received).toEqual(sent));
      tunnel.cut();
      expect((await stage.end()).clientFaults).toBeUndefined();
    });

    test("a length of 125, 126, 65,535 or 65,536 bytes in its shortest form", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      const sizes = [125, 126, 65_535, 65_536];
      const sent = Buffer.concat(sizes.map((size) => frame("backend", TEXT, Buffer.alloc(size))));
      backend.say(sent);
      await until(() => expect(client.bytesReceived).toBe(sent.length));
      tunnel.cut();
      const end = await stage.end();
      expect([end.backendFaults, end.stats.messagesDown]).toEqual([undefined, sizes.length]);
    });

    test("anything behind a Close", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      const sent = Buffer.concat([frame("client", CLOSE, closePayload(1_000)), frameHead("client", 3, 0)]);
      client.say(sent);
      await until(() => expect(backend.closeCodes).toEqual([1_000]));
      tunnel.cut();
      expect((await stage.end()).clientFaults).toBeUndefined();
    });
  });
}
