import { stringify } from "yaml";
import { routeDefinition } from "../src/api/index.ts";

const HEADER = "# Generated from src/api by `npm run generate`. Do not edit.\n";

/** crds/holdfast.dev_websocketroutes.yaml. */
export function crdYaml(): string {
  return HEADER + stringify(routeDefinition(), { aliasDuplicateObjects: false, lineWidth: 120 });
}
