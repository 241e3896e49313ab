import { errorReference } from "../src/proxy/index.ts";
import { metricsReference } from "../src/telemetry/index.ts";
import { chartCrd } from "./generate-chart-crd.ts";
import { crdYaml } from "./generate-crd.ts";
import { routeReference } from "./generate-route-reference.ts";

/** A committed file that is made from the source; the gate makes it again and demands no difference. */
export interface GeneratedFile {
  /** From the root of the repository. */
  readonly path: string;
  /** The whole text, the same on every machine. */
  readonly make: () => string;
}

/** Every generated file. A new one is a line here: a test compares each with what is committed. */
export const GENERATED_FILES: readonly GeneratedFile[] = [
  { path: "crds/holdfast.dev_websocketroutes.yaml", make: crdYaml },
  { path: "charts/holdfast/templates/crd-websocketroutes.yaml", make: chartCrd },
  { path: "docs/reference/websocketroute.md", make: routeReference },
  { path: "docs/reference/errors.md", make: errorReference },
  { path: "docs/reference/metrics.md", make: metricsReference },
];
