import { expect, test } from "vitest";
import { CloseCodeCounters } from "./close-code-counters.ts";

test.for([
  { code: undefined, label: "none" },
  { code: 999, label: "other" },
  { code: 1000, label: "1000" },
  { code: 1005, label: "1005" },
  { code: 1015, label: "1015" },
  { code: 1016, label: "other" },
  { code: 2999, label: "other" },
  { code: 3000, label: "3xxx" },
  { code: 3999, label: "3xxx" },
  { code: 4000, label: "4xxx" },
  { code: 4999, label: "4xxx" },
  { code: 5000, label: "other" },
  { code: 0, label: "other" },
  { code: 65_535, label: "other" },
])("the code $code is counted as $label, on its side only", ({ code, label }) => {
  const codes = new CloseCodeCounters();
  codes.ended({ codeToClient: code, codeToBackend: 1001 });
  codes.ended({ codeToClient: code, codeToBackend: 1001 });
  expect(codes.collect()).toEqual([
    [["client", label], 2],
    [["backend", "1001"], 2],
  ]);
});

test("what never occurred is not shown", () => {
  expect(new CloseCodeCounters().collect()).toEqual([]);
});
