import { describe, expect, test } from "vitest";
import { FrameSieve, type SievePolicy } from "./frame-sieve.ts";
import { chunked, closePayload, frame, type FrameShape, longHead } from "./frames.fixture.ts";
import { encodeClose, FrameTracker } from "./index.ts";
import { sieveAll } from "./sieve-run.fixture.ts";

const OFF: SievePolicy = { isStrict: false, maxMessageBytes: 0, maxFragments: 0 };
const STRICT: SievePolicy = { ...OFF, isStrict: true };

function sieveOf(policy: Partial<SievePolicy>, from: "client" | "backend" = "client") {
  const tracker = new FrameTracker(from, 0);
  return { tracker, sieve: new FrameSieve(tracker, { ...OFF, ...policy }) };
}

const client = (...shapes: readonly Partial<FrameShape>[]) => Buffer.concat(shapes.map((one) => frame(one, "client")));
const bytes = (buffer: Uint8Array) => chunked(buffer, [1]);

describe("limits", () => {
  interface Case {
    readonly name: string;
    readonly policy: Partial<SievePolicy>;
    readonly passes: readonly Partial<FrameShape>[];
    readonly stops?: Partial<FrameShape>;
  }
  const first = { isFinal: false, payload: [60, 1] } as const;
  const more = { opcode: 0, isFinal: false, payload: [40, 1] } as const;
  const last = { opcode: 0, payload: [1, 1] } as const;
  const ping = { opcode: 9, payload: [125, 1] } as const;
  const cases: readonly Case[] = [
    { name: "a message of just so many bytes", policy: { maxMessageBytes: 100 }, passes: [{ payload: [100, 1] }] },
    { name: "a byte too many", policy: { maxMessageBytes: 100 }, passes: [], stops: { payload: [101, 1] } },
    {
      name: "a 16-bit length",
      policy: { maxMessageBytes: 300 },
      passes: [{ payload: [300, 1] }],
      stops: { payload: [301, 1] },
    },
    {
      name: "a 64-bit length",
      policy: { maxMessageBytes: 70_000 },
      passes: [{ payload: [70_000, 1] }],
      stops: { payload: [70_001, 1] },
    },
    {
      name: "fragments together, Pings between them aside",
      policy: { maxMessageBytes: 100 },
      passes: [first, ping, more, ping],
      stops: last,
    },
    {
      name: "each message anew",
      policy: { maxMessageBytes: 101 },
      passes: [first, more, last, first, more, last, { payload: [101, 1] }],
    },
    {
      name: "a faulty frame that is only observed",
      policy: { maxMessageBytes: 100 },
      passes: [{ reserved: 2, isFinal: false, payload: [60, 1] }],
      stops: { opcode: 0, reserved: 1, payload: [41, 1] },
    },
    { name: "a message in one piece", policy: { maxFragments: 1 }, passes: [{ payload: [9, 9] }, ping, { opcode: 1 }] },
    { name: "a second fragment", policy: { maxFragments: 1 }, passes: [first], stops: last },
    {
      name: "a fourth fragment",
      policy: { maxFragments: 3 },
      passes: [first, more, ping, last, first, more, more],
      stops: more,
    },
    { name: "no limit", policy: {}, passes: [first, more, more, more, last, { payload: [70_000, 1] }] },
  ];
  const ways = cases.flatMap((one) => [
    { ...one, size: 100_000 },
    { ...one, size: 1 },
  ]);

  test.for(ways)("$name, $size bytes a chunk", ({ policy, passes, stops, size }) => {
    const { sieve, tracker } = sieveOf(policy);
    const lawful = client(...passes);
    const over = stops === undefined ? Buffer.alloc(0) : client(stops);
    const run = sieveAll(sieve, chunked(Buffer.concat([lawful, over]), [size]));
    expect(run.passed.equals(lawful)).toBe(true);
    expect(run.rest.equals(over)).toBe(true);
    const why = policy.maxFragments === undefined ? "message_too_big" : "too_many_fragments";
    expect(run.stoppedBy).toBe(stops === undefined ? undefined : why);
    expect(tracker.isAtFrameBoundary).toBe(true);
  });

  test("the header alone decides: no byte of payload has to come", () => {
    const { sieve } = sieveOf({ maxMessageBytes: 1_000_000 });
    const run = sieveAll(sieve, bytes(longHead(1, 0, "client")));
    expect([run.stoppedBy, run.passed.length]).toEqual(["message_too_big", 0]);
  });

  test("a length that cannot be counted is too big as well", () => {
    const { sieve, tracker } = sieveOf({ maxMessageBytes: 1_000_000 });
    expect(sieveAll(sieve, [longHead(0xffff_ffff, 0, "client")]).stoppedBy).toBe("message_too_big");
    expect(tracker.isOpaque).toBe(false);
  });

  test("once the framing is lost, where that is only observed, everything passes", () => {
    const { sieve, tracker } = sieveOf({ maxMessageBytes: 10 });
    const stream = Buffer.concat([client({ opcode: 3 }), client({ payload: [500, 1] })]);
    expect(sieveAll(sieve, bytes(stream)).passed.equals(stream)).toBe(true);
    expect(tracker.isOpaque).toBe(true);
  });

  test("a limit that comes in the middle of a message counts what the sieve has seen of it", () => {
    const { sieve } = sieveOf({});
    expect(sieveAll(sieve, [client(first)]).stoppedBy).toBeUndefined();
    sieve.policy = { ...OFF, maxMessageBytes: 99 };
    expect(sieveAll(sieve, [client(more)]).stoppedBy).toBe("message_too_big");
  });
});

describe("control frames", () => {
  const pong = client({ opcode: 10, payload: Buffer.from("ours") });
  const stream = Buffer.concat([
    client({ isFinal: false, payload: [3, 1] }),
    pong,
    client({ opcode: 0, payload: [3, 1] }),
  ]);
  const without = Buffer.concat([client({ isFinal: false, payload: [3, 1] }), client({ opcode: 0, payload: [3, 1] })]);

  test.for([1, 2, 5, 1_000])("one that nobody accepts is swallowed, in chunks of %d bytes", (size) => {
    const { sieve, tracker } = sieveOf(STRICT);
    const run = sieveAll(sieve, chunked(stream, [size]), () => false);
    expect(run.passed.equals(without)).toBe(true);
    expect(run.controls).toEqual([{ opcode: 10, payload: Uint8Array.from(Buffer.from("ours")) }]);
    expect([tracker.pongs, tracker.messages, tracker.isAtMessageBoundary]).toEqual([0, 1, true]);
  });

  test("one that is accepted passes, and the tracker has seen it", () => {
    const { sieve, tracker } = sieveOf(STRICT);
    expect(sieveAll(sieve, chunked(stream, [2])).passed.equals(stream)).toBe(true);
    expect([tracker.pongs, tracker.messages]).toEqual([1, 1]);
    sieve.accept();
    expect(tracker.pongs).toBe(1);
  });

  test("behind a Close that passed everything does; behind one that was swallowed the sieve goes on", () => {
    const tail = client({ opcode: 3 });
    const close = Buffer.from(encodeClose(1000, 0x0102_0304));
    const said = sieveOf(STRICT);
    expect(sieveAll(said.sieve, bytes(Buffer.concat([close, tail]))).passed.equals(Buffer.concat([close, tail]))).toBe(
      true,
    );
    expect(said.tracker.closeCode).toBe(1000);
    const kept = sieveOf(STRICT);
    const run = sieveAll(kept.sieve, bytes(Buffer.concat([close, tail])), () => false);
    expect([run.passed.length, run.stoppedBy, kept.tracker.hasClose]).toEqual([0, "reserved_opcode", false]);
  });
});

describe("where the tracker was in the middle of a frame when the sieve began", () => {
  const begun = client({ payload: [300, 1] });
  const ping = client({ opcode: 9, payload: [20, 1] });
  test.for([
    { name: "a payload", frame: begun, at: 100 },
    { name: "a header", frame: begun, at: 3 },
    { name: "a Ping", frame: ping, at: 9 },
    { name: "a Close", frame: client({ opcode: 8, payload: closePayload(1005) }), at: 7 },
  ])("$name, its rest passes unseen", ({ frame: started, at }) => {
    for (const size of [1, 1_000]) {
      const { sieve, tracker } = sieveOf({ ...STRICT, maxMessageBytes: 10 });
      tracker.track(started.subarray(0, at));
      const tail = tracker.hasClose ? Buffer.alloc(0) : client({ payload: [10, 1] });
      const rest = Buffer.concat([started.subarray(at), tail]);
      const run = sieveAll(sieve, chunked(rest, [size]));
      expect(run.passed.equals(rest)).toBe(true);
      expect(run.controls).toEqual([]);
    }
  });

  test("the next frame is sieved", () => {
    const { sieve, tracker } = sieveOf({ maxMessageBytes: 10 });
    tracker.track(begun.subarray(0, 100));
    const run = sieveAll(sieve, [Buffer.concat([begun.subarray(100), client({ payload: [11, 1] })])]);
    expect(run.passed.equals(begun.subarray(100))).toBe(true);
    expect(run.stoppedBy).toBe("message_too_big");
  });
});

describe("what is held", () => {
  test("is counted, not shown to the tracker, and handed over on demand", () => {
    const { sieve, tracker } = sieveOf(STRICT);
    const start = client({ payload: [300, 1] }).subarray(0, 7);
    expect(sieveAll(sieve, bytes(start)).passed.length).toBe(0);
    expect([sieve.heldBytes, tracker.isAtFrameBoundary]).toEqual([7, true]);
    expect(start.equals(sieve.release())).toBe(true);
    expect([sieve.heldBytes, sieve.release().length]).toEqual([0, 0]);
  });

  test("is never more than a control frame but for its last byte", () => {
    const { sieve } = sieveOf({});
    const ping = client({ opcode: 9, payload: [125, 1] });
    sieveAll(sieve, [ping.subarray(0, 130)]);
    expect(sieve.heldBytes).toBe(130);
  });

  test("of one frame stays as it was when another is held: a sink may still have it", () => {
    const { sieve } = sieveOf({});
    const [a, b] = [client({ opcode: 9, payload: [5, 1] }), client({ opcode: 10, payload: [5, 2] })];
    const steps = [sieve.step(a, 0), sieve.step(b, 0)];
    expect(steps).toMatchObject([{ bytes: Uint8Array.from(a) }, { bytes: Uint8Array.from(b) }]);
  });
});

test("a stop stays one until the policy allows the frame", () => {
  const { sieve } = sieveOf(STRICT);
  const bad = client({ reserved: 1, payload: [3, 1] });
  const at = sieve.step(bad, 0).next;
  expect(sieve.step(bad, at)).toEqual({ kind: "stop", why: "reserved_bits", next: at });
  sieve.policy = OFF;
  expect(sieveAll(sieve, [bad.subarray(at)]).passed.equals(bad)).toBe(true);
});

test("a policy that becomes strict stops the frame whose header is held", () => {
  const { sieve } = sieveOf(OFF);
  const bad = client({ reserved: 1, payload: [300, 1] });
  expect(sieveAll(sieve, [bad.subarray(0, 5)]).stoppedBy).toBeUndefined();
  sieve.policy = STRICT;
  expect(sieveAll(sieve, [bad.subarray(5)])).toMatchObject({ stoppedBy: "reserved_bits", rest: bad });
});

test("data frames of a chunk pass in one step, and in the chunk itself", () => {
  const { sieve, tracker } = sieveOf({ ...STRICT, maxMessageBytes: 1_000 });
  const chunk = client(...Array.from({ length: 50 }, () => ({ payload: [64, 1] as const })), { payload: [500, 1] });
  expect(sieve.step(chunk.subarray(0, -400), 0)).toEqual({ kind: "pass", next: chunk.length - 400 });
  expect(sieve.step(chunk.subarray(-400), 0)).toEqual({ kind: "pass", next: 400 });
  expect(tracker.messages).toBe(51);
});

describe("a message that may not begin yet", () => {
  const small = { payload: [5, 1] } as const;
  const long = { payload: [300, 1] } as const;
  const part = { isFinal: false, payload: [3, 1] } as const;
  const more = { opcode: 0, isFinal: false, payload: [3, 1] } as const;
  const last = { opcode: 0, payload: [3, 1] } as const;
  const ping = { opcode: 9, payload: [4, 1] } as const;

  /** A sieve that lets so many messages begin, and how often it was told yes. */
  function rationed(count: number, policy: Partial<SievePolicy> = {}) {
    const { sieve, tracker } = sieveOf(policy);
    const ration = { left: count, begun: 0 };
    sieve.mayBegin = () => {
      if (ration.left === 0) return false;
      ration.left -= 1;
      ration.begun += 1;
      return true;
    };
    return { sieve, tracker, ration };
  }

  const cases = [
    { name: "small ones", passes: [small, small], waits: [small, small] },
    { name: "one with a longer header", passes: [long, small], waits: [long] },
    { name: "an empty one", passes: [small, small], waits: [{ payload: [0, 0] }] },
    { name: "fragments of one count once", passes: [part, ping, more, more, last, small], waits: [part, last] },
    {
      name: "control frames never count",
      passes: [ping, small, ping, ping, small, ping, { opcode: 10 }],
      waits: [small],
    },
    { name: "a Close behind it waits with it", passes: [small, small], waits: [small, { opcode: 8 }] },
    { name: "enough for all", passes: [small, ping, part, last, ping], waits: [] },
  ] satisfies readonly {
    readonly name: string;
    readonly passes: readonly Partial<FrameShape>[];
    readonly waits: readonly Partial<FrameShape>[];
  }[];
  const ways = cases.flatMap((one) => [1, 3, 100_000].map((size) => ({ ...one, size })));

  test.for(ways)("$name, $size bytes a chunk", ({ passes, waits, size }) => {
    const { sieve, tracker, ration } = rationed(2);
    const [before, rest] = [client(...passes), client(...waits)];
    const run = sieveAll(sieve, chunked(Buffer.concat([before, rest]), [size]));
    expect(run.passed.equals(before)).toBe(true);
    expect(run.rest.equals(rest)).toBe(true);
    expect(run.stoppedBy).toBe(waits.length === 0 ? undefined : "wait");
    expect([ration.begun, tracker.isAtMessageBoundary, sieve.heldBytes]).toEqual([2, true, 0]);
    ration.left = 10;
    expect(sieveAll(sieve, chunked(run.rest, [size])).passed.equals(rest)).toBe(true);
  });

  test("is not asked about before its header is whole", () => {
    const { sieve, ration } = rationed(1);
    const head = client(long).subarray(0, 7);
    expect(sieveAll(sieve, bytes(head)).stoppedBy).toBeUndefined();
    expect(ration.begun).toBe(0);
    sieveAll(sieve, [client(long).subarray(7)]);
    expect(ration.begun).toBe(1);
  });

  test("and is too big, or against the rules, is stopped for that and not counted", () => {
    for (const [shape, why] of [
      [{ payload: [400, 1] }, "message_too_big"],
      [{ reserved: 1, payload: [3, 1] }, "reserved_bits"],
    ] as const) {
      for (const size of [1, 1_000]) {
        const { sieve, ration } = rationed(1, { ...STRICT, maxMessageBytes: 300 });
        expect(sieveAll(sieve, chunked(client(shape), [size])).stoppedBy).toBe(why);
        expect(ration.begun).toBe(0);
      }
    }
  });

  test("goes on as soon as nobody is asked any more, with what was held of it", () => {
    const { sieve } = rationed(0);
    const run = sieveAll(sieve, bytes(client(long, small)));
    expect(run.stoppedBy).toBe("wait");
    sieve.mayBegin = undefined;
    expect(sieveAll(sieve, [run.rest]).passed.equals(client(long, small))).toBe(true);
  });

  test("is not asked about behind a Close or once the framing is lost", () => {
    for (const end of [{ opcode: 8 }, { opcode: 3 }]) {
      const { sieve } = rationed(1);
      const stream = client(small, end, small, small);
      expect(sieveAll(sieve, bytes(stream)).passed.equals(stream)).toBe(true);
    }
  });

  test("is asked about anew: the same message may begin later, and is counted once", () => {
    const { sieve, ration } = rationed(0);
    let rest: Buffer = client(small);
    for (let turn = 0; turn < 3; turn += 1) {
      const run = sieveAll(sieve, bytes(rest));
      expect(run.stoppedBy).toBe("wait");
      rest = run.rest;
    }
    ration.left = 5;
    sieveAll(sieve, bytes(rest));
    expect(ration.begun).toBe(1);
  });
});
