import { describe } from "vitest";
import { bytesContract } from "./relay-bytes.contract.ts";
import { peerEndsContract } from "./relay-ends.contract.ts";
import { keepaliveContract } from "./relay-keepalive.contract.ts";
import { plannedEndsContract } from "./relay-planned.contract.ts";
import { faultsContract } from "./relay-faults.contract.ts";
import { policyContract } from "./relay-policy.contract.ts";
import { enforceContract } from "./relay-enforce.contract.ts";
import { limitsContract } from "./relay-limits.contract.ts";
import { differentialContract } from "./relay-differential.contract.ts";
import { ratesContract } from "./relay-rates.contract.ts";
import { waitingContract } from "./relay-waiting.contract.ts";
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
    enforceContract(factory);
    limitsContract(factory);
    ratesContract(factory);
    waitingContract(factory);
    differentialContract(factory);
    keepaliveContract(factory);
  });
}
