import { describe } from "vitest";
import { bytesContract } from "./relay-bytes.contract.ts";
import { peerEndsContract } from "./relay-ends.contract.ts";
import { plannedEndsContract } from "./relay-planned.contract.ts";
import { faultsContract } from "./relay-faults.contract.ts";
import { policyContract } from "./relay-policy.contract.ts";
import type { RelayFactory } from "./relay-stage.contract.ts";

export type { RelayFactory, RelayUnderTest } from "./relay-stage.contract.ts";

/** Registers what every relay must do, on real sockets and with a clock moved by hand. */
export function relayContract(name: string, factory: RelayFactory): void {
  describe(name, () => {
    bytesContract(factory);
    peerEndsContract(factory);
    plannedEndsContract(factory);
    policyContract(factory);
    faultsContract(factory);
  });
}
