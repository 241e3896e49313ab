import { describe } from "vitest";
import { createTunnelRelay, TimerWheel } from "./index.ts";
import { stressContract } from "./relay-stress.contract.ts";

describe.each(["page", "stream"] as const)("the relay in TypeScript, reading into a %s", (reading) => {
  stressContract(({ random, onEnd }) => {
    const clock = { ms: 1_000_000 };
    const now = (): number => clock.ms;
    const wheel = new TimerWheel({ now });
    return {
      relay: createTunnelRelay<string>({ wheel, now, random, reading, onEnd }),
      advance: (ms) => {
        clock.ms += ms;
        wheel.advance(clock.ms);
      },
      pendingTimers: () => wheel.size,
    };
  });
});
