import type { AdmissionRefusal } from "../admission/index.ts";
import { answerHeaders, type ProxyErrorCode } from "./answers.ts";
import type { HeaderPair } from "./types.ts";

const CODES: Readonly<Record<AdmissionRefusal["why"], ProxyErrorCode>> = {
  none: "HF_NO_BACKEND",
  tunnels: "HF_RULE_FULL",
  backends: "HF_RULE_FULL",
  rate: "HF_RATE_LIMITED",
  leaving: "HF_DRAINING",
};

/** How a client is told that its rule does not take it on now. */
export function admissionAnswer({ why, retryAfterS }: AdmissionRefusal): {
  readonly code: ProxyErrorCode;
  readonly headers: readonly HeaderPair[];
} {
  const code = CODES[why];
  const headers: readonly HeaderPair[] =
    retryAfterS === undefined ? answerHeaders(code) : [["retry-after", String(retryAfterS)]];
  return { code, headers };
}
