import { METRICS, type MetricDefinition } from "./metric-definitions.ts";

/** The reference page of all metrics, in Markdown. */
export function metricsReference(): string {
  const rows = Object.values<MetricDefinition>(METRICS).map(({ name, type, labels, help }) => {
    const labelCell = labels.length === 0 ? "–" : labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${labelCell} | ${help.replaceAll("|", "\\|")} |`;
  });
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
  ].join("\n");
}
