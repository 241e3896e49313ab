import { accepts, acceptsEach, type RouteCase, refuses, refusesEach, shape, twice, withRule } from "./build.ts";
import { numberCases } from "./numbers.ts";

const AT = "spec.rules[0].retry";
const REASONS = ["502", "503", "Connect", "Timeout"] as const;
const CHOICES = '"502" or "503" or "Connect" or "Timeout"';

const withRetry = (retry: object) => withRule({ retry });

export const RETRY_CASES: readonly RouteCase[] = [
  accepts("an empty retry", withRetry({})),
  accepts("retries for no reason", withRetry({ reasons: [] })),
  accepts("retries for every reason", withRetry({ reasons: REASONS })),
  ...acceptsEach(REASONS, "retries on", (reason) => withRetry({ reasons: [reason] })),
  ...refusesEach(
    ["connect", "504", "5xx", ""],
    "retries on",
    (reason) => withRetry({ reasons: [reason] }),
    shape(`${AT}.reasons[0]`, `must be ${CHOICES}`),
  ),
  refuses(
    "retries on a status without its quotes",
    withRetry({ reasons: ["Connect", 502] }),
    shape(`${AT}.reasons[1]`, `must be a text, not a number: ${CHOICES}`),
  ),
  refuses(
    "a reason that is listed twice",
    withRetry({ reasons: ["503", "Connect", "503"] }),
    twice(`${AT}.reasons[2]`),
  ),
  refuses(
    "more reasons than there are",
    withRetry({ reasons: [...REASONS, "Connect"] }),
    shape(`${AT}.reasons`, "must have at most 4 items"),
  ),
  ...(
    [
      ["attempts", 10],
      ["budgetPercent", 100],
    ] as const
  ).flatMap(([name, most]) =>
    numberCases({
      name: `retry.${name}`,
      field: `${AT}.${name}`,
      put: (value) => withRetry({ [name]: value }),
      least: 0,
      most,
    }),
  ),
];
