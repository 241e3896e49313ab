import { expect, test } from "vitest";
import { CLOSE_CODES, type EndCause } from "../relay/index.ts";
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
  codes.ended({ cause: "idle", codeToClient: code, codeToBackend: 1001 });
  codes.ended({ cause: "idle", codeToClient: code, codeToBackend: 1001 });
  expect(codes.collect()).toEqual([
    [["client", label, "idle"], 2],
    [["backend", "1001", "idle"], 2],
  ]);
});

test("one code for several causes is counted by cause, and every cause has its own counts", () => {
  const codes = new CloseCodeCounters();
  const causes = Object.keys(CLOSE_CODES) as EndCause[];
  for (const [index, cause] of causes.entries()) {
    for (let i = 0; i <= index; i++) codes.ended({ cause, codeToClient: 1015, codeToBackend: 9_999 });
  }
  const counted = new Map(codes.collect().map(([labels, count]) => [labels.join(" "), count]));
  expect(counted).toEqual(
    new Map([
      ...causes.map((cause, index) => [`client 1015 ${cause}`, index + 1] as const),
      ...causes.map((cause, index) => [`backend other ${cause}`, index + 1] as const),
    ]),
  );
  expect(causes.length).toBeGreaterThan(12);
});

test("what never occurred is not shown", () => {
  expect(new CloseCodeCounters().collect()).toEqual([]);
});
