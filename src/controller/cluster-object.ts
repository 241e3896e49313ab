import type { NamespacedName } from "../graph/index.ts";

/** An object as far as a store looks at it; all else is for those who parse it. */
export interface ClusterObject {
  readonly metadata: {
    readonly name: string;
    /** Not said = `default`. */
    readonly namespace?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | null | undefined;
  };
}

/** `namespace/name` of an object. */
export function objectName({ metadata }: ClusterObject): NamespacedName {
  return `${metadata.namespace ?? "default"}/${metadata.name}`;
}
