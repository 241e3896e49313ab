import { crdYaml } from "./generate-crd.ts";

/** `keep`: uninstalling the release, or setting crds.install to false later, deletes no CRD and so no route. */
const METADATA = `  annotations:
    helm.sh/resource-policy: keep
  labels:
    {{- include "holdfast.labels" . | nindent 4 }}
`;

/**
 * charts/holdfast/templates/crd-websocketroutes.yaml. A template and not a file in the chart's crds/ folder, which Helm
 * installs once and never upgrades.
 */
export function chartCrd(): string {
  const [head, metadata, rest] = crdYaml().split(/^(metadata:\n(?: {2}.*\n)+)/m);
  if (head === undefined || metadata === undefined || rest === undefined) throw new Error("the CRD has no metadata");
  return `{{- if .Values.crds.install -}}\n${asText(head)}${metadata}${METADATA}${asText(rest)}{{- end }}\n`;
}

/** Two opening braces would begin an action of the template. */
function asText(yaml: string): string {
  return yaml.replaceAll("{{", '{{ "{{" }}');
}
