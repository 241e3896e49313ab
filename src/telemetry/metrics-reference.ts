import { CLOSE_CODES, type EndCause } from "../relay/index.ts";
import { DRAIN_REASONS, END_CAUSES, FRAME_FAULTS } from "./end-causes.ts";
import { METRICS, type MetricDefinition } from "./metric-definitions.ts";

/** The reference page of all metrics, in Markdown. */
export function metricsReference(): string {
  const rows = Object.values<MetricDefinition>(METRICS).map(({ name, type, labels, help }) => {
    const labelCell = labels.length === 0 ? "–" : labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${labelCell} | ${help.replaceAll("|", "\\|")} |`;
  });
  const causes = Object.entries(END_CAUSES).map(([cause, meaning]) => {
    const { toClient = "–", toBackend = "–" } = CLOSE_CODES[cause as EndCause];
    return `| \`${cause}\` | ${meaning} | ${toClient} | ${toBackend} |`;
  });
  const reasons = Object.entries(DRAIN_REASONS).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |`);
  const faults = Object.entries(FRAME_FAULTS).map(([fault, meaning]) => `| \`${fault}\` | ${meaning} |`);
  return [
    "# Metrics",
    "",
    "<!-- Generated from src/telemetry/metric-definitions.ts by `npm run generate`; do not edit. -->",
    "",
    "Served as text on the admin port at `/metrics`. Labels are bounded: the address of a client, a path or a header",
    "is never one. The series of a rule go when the rule is gone and its last tunnel has ended. Beside these there are",
    "the usual `process_*` and `nodejs_*` metrics of a Node.js process.",
    "",
    "| Name | Type | Labels | Meaning |",
    "|---|---|---|---|",
    ...rows,
    "",
    "## Causes of an end",
    "",
    "The label `cause`, and the field of that name in the log line of a tunnel's end; with the Close code that each side",
    "is sent for it, unless it has said Close itself. –: none of ours.",
    "",
    "| Cause | Meaning | To the client | To the backend |",
    "|---|---|---|---|",
    ...causes,
    "",
    "## Faults",
    "",
    "The label `fault`, and `clientFault` or `backendFault` in the log line: what a side did first against RFC 6455.",
    "",
    "| Fault | Meaning |",
    "|---|---|",
    ...faults,
    "",
    "## Reasons of a drain",
    "",
    "The label `reason`, and the field of that name in the log lines of drains.",
    "",
    "| Reason | Meaning |",
    "|---|---|",
    ...reasons,
    "",
  ].join("\n");
}
