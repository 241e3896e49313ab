import { CONTROLLER_NAME, DEFAULT_CLASS_ANNOTATION, parseIngressClass } from "../api/index.ts";
import { remembered } from "./remembered.ts";
import type { ClusterSnapshot, GraphOptions } from "./types.ts";

/** What the graph wants to know of an IngressClass. */
export interface ClassFacts {
  readonly name: string;
  /** Unknown: it cannot be understood, and counts as missing. */
  readonly controller: "Ours" | "Other" | "Unknown";
  readonly isMarkedDefault: boolean;
}

/** Which classes are served, said once for a build. */
export interface ServedClasses {
  /** Whether a route that names this class is ours; undefined = it names none. */
  serves(className: string | undefined): boolean;
}

/**
 * Reads the IngressClasses. A class by name is served when its controller is ours and, with `ingressClassName`, when it
 * has that name; of that name it need not exist, so that whoever deletes the IngressClass does not take every route
 * down, but when it exists as another controller's, its routes are that one's. A route without a class belongs to the
 * class of ours that is marked default, else to the only one of ours; with several that would do, to none.
 */
export function readClasses(
  snapshot: ClusterSnapshot,
  options: GraphOptions,
  known: WeakMap<object, ClassFacts>,
): ServedClasses {
  const { ingressClassName, classless } = options;
  const ours: string[] = [];
  const defaults: string[] = [];
  const foreign = new Set<string>();
  for (const object of snapshot.list("IngressClass").values()) {
    const { name, controller, isMarkedDefault } = remembered(known, object, () => readClass(object));
    if (controller === "Other") foreign.add(name);
    if (controller !== "Ours") continue;
    ours.push(name);
    if (isMarkedDefault) defaults.push(name);
  }
  const servesNamed = (name: string): boolean =>
    ingressClassName === undefined ? ours.includes(name) : name === ingressClassName && !foreign.has(name);
  const implied = defaults.length > 0 ? only(defaults) : only(ours);
  const servesClassless = classless === "Ours" || (implied !== undefined && servesNamed(implied));
  return { serves: (name) => (name === undefined ? servesClassless : servesNamed(name)) };
}

function readClass(object: unknown): ClassFacts {
  const parsed = parseIngressClass(object);
  if (!parsed.ok) return { name: "", controller: "Unknown", isMarkedDefault: false };
  const { metadata, spec } = parsed.value;
  return {
    name: metadata.name,
    controller: spec.controller === CONTROLLER_NAME ? "Ours" : "Other",
    isMarkedDefault: metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === "true",
  };
}

function only(names: readonly string[]): string | undefined {
  return names.length === 1 ? names[0] : undefined;
}
