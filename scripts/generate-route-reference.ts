import { API_GROUP, API_VERSION, type OpenApiSchema, ROUTE_KIND, routeSchema } from "../src/api/index.ts";
import { ROUTE_EXAMPLE } from "./generate-route-example.ts";

const INTRODUCTION = `# ${ROUTE_KIND}

<!-- Generated from src/api by \`npm run generate\`. Do not edit. -->

\`${API_GROUP}/${API_VERSION}\`, kind \`${ROUTE_KIND}\`, short name \`wsr\`, namespaced. The same manifest works in a cluster
(\`kubectl explain wsr.spec\` tells what this page tells) and in a folder (\`holdfast serve --source files\`).

A folder is held to the same rules as a cluster, and is stricter in two things that an API server may pass over:
a field that does not exist, and a field that is \`null\`, are mistakes. \`status\` and what others write into \`metadata\`
are passed over in both. A route that breaks a rule harms only itself. In a cluster it is refused, or, written before
the rule existed, not served with \`Accepted\` saying where and why; in a folder its last good version stays in force, and
the log says file, line and field.

A *duration* is one to four whole numbers with units: \`500ms\`, \`10s\`, \`1h30m\` (as in Gateway API, GEP-2257).
`;

/** docs/reference/websocketroute.md: every field, the rules between them, an example. */
export function routeReference(): string {
  const { spec, status } = routeSchema().properties ?? {};
  const roots: readonly Section[] = [
    { path: "spec", schema: present(spec) },
    { path: "status", schema: present(status) },
  ];
  const sections = roots.flatMap(sectionsOf);
  return [
    INTRODUCTION,
    `## Example\n\nEvery field once; a route needs no more than a backend.\n\n\`\`\`yaml\n${ROUTE_EXAMPLE}\`\`\`\n`,
    ...sections.map(printSection),
    `## Rules\n\nBeside the bounds above. In a cluster the API server enforces them when a route is written.\n\n${printRules(roots)}`,
  ].join("\n");
}

interface Section {
  readonly path: string;
  readonly schema: OpenApiSchema;
}

/** The object and all objects below it, in the order of their fields. */
function sectionsOf({ path, schema }: Section): readonly Section[] {
  if (schema.type === "array") return sectionsOf({ path: `${path}[]`, schema: present(schema.items) });
  if (schema.type !== "object") return [];
  return [{ path, schema }, ...fieldsOf({ path, schema }).flatMap(sectionsOf)];
}

function fieldsOf({ path, schema }: Section): readonly Section[] {
  return Object.entries(schema.properties ?? {}).map(([name, field]) => ({ path: `${path}.${name}`, schema: field }));
}

function printSection({ path, schema }: Section): string {
  const fields = fieldsOf({ path, schema }).map((field) => {
    const name = field.path.slice(path.length + 1);
    const isRequired = schema.required?.includes(name) === true;
    const fallback = isRequired ? "**required**" : printDefault(field.schema);
    return `| ${nameCell(name, field)} | ${typeOf(field.schema)} | ${fallback} | ${cell(boundsOf(field.schema))} | ${cell(meaningOf(field.schema))} |`;
  });
  const patterns = fieldsOf({ path, schema }).flatMap(({ path: at, schema: field }) => {
    const pattern = field.pattern ?? field.items?.pattern;
    return pattern === undefined || isDuration(field) ? [] : [`\`${at.slice(path.length + 1)}\`: \`\`${pattern}\`\``];
  });
  const head = `## ${path}\n\n${schema.description ?? ""}\n\n| Field | Type | Default | Bounds | Meaning |\n|---|---|---|---|---|`;
  const tail = patterns.length === 0 ? "" : `\nPatterns:\n\n${patterns.map((line) => `- ${line}\n`).join("")}`;
  return `${head}\n${fields.join("\n")}\n${tail}`;
}

/** The name, leading to the section of an object. */
function nameCell(name: string, { path, schema }: Section): string {
  const [below] = sectionsOf({ path, schema });
  return below === undefined ? `\`${name}\`` : `[\`${name}\`](#${anchor(below.path)})`;
}

/** How GitHub names a heading: lower case, punctuation gone. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 _-]/g, "")
    .replaceAll(" ", "-");
}

function typeOf(schema: OpenApiSchema): string {
  if (schema.type === "array") return `list of ${typeOf(present(schema.items))}s`;
  if (isDuration(schema)) return "duration";
  return schema.format === "date-time" ? "time" : schema.type;
}

function isDuration({ pattern }: OpenApiSchema): boolean {
  return pattern?.includes("(h|m|s|ms)") === true;
}

function printDefault({ default: value }: OpenApiSchema): string {
  if (value === undefined) return "";
  return isEmptyObject(value) ? "as below" : `\`${JSON.stringify(value)}\``;
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function boundsOf(schema: OpenApiSchema): string {
  if (isDuration(schema)) return (schema["x-kubernetes-validations"] ?? []).map(({ message }) => message).join("; ");
  const own = [
    schema.enum?.map((choice) => `\`${choice}\``).join(", ") ?? "",
    range(schema.minLength, schema.maxLength, "characters"),
    range(schema.minItems, schema.maxItems, "items"),
    range(schema.minimum, schema.maximum, ""),
    uniqueness(schema),
  ].filter((bound) => bound !== "");
  if (schema.items === undefined || schema.items.type === "object") return own.join("; ");
  return [...own, `each ${boundsOf(schema.items)}`].join("; ");
}

function range(least: number | undefined, most: number | undefined, unit: string): string {
  if (most === undefined) return "";
  const text = most === Number.MAX_SAFE_INTEGER ? `at least ${least ?? 0}` : `${least ?? 0} to ${most}`;
  return `${text} ${unit}`.trim();
}

function uniqueness(schema: OpenApiSchema): string {
  if (schema["x-kubernetes-list-type"] === "set") return "each once";
  const [key] = schema["x-kubernetes-list-map-keys"] ?? [];
  return key === undefined ? "" : `each \`${key}\` once`;
}

/** A list of scalars says what its items are in the same cell. */
function meaningOf(schema: OpenApiSchema): string {
  const { description = "", items } = schema;
  const ofItem = items === undefined || items.type === "object" ? "" : ` Each: ${items.description ?? ""}`;
  return description + ofItem;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** A rule that holds in several places is one row. */
function printRules(roots: readonly Section[]): string {
  const places = Map.groupBy(roots.flatMap(rulesOf), ({ message }) => message);
  const rows = [...places].map(([message, rules]) => {
    return `| ${cell(message)} | ${rules.map(({ place }) => `\`${place}\``).join(", ")} |`;
  });
  return ["| Rule | Where |", "|---|---|", ...rows, ""].join("\n");
}

function rulesOf({ path, schema }: Section): readonly { readonly place: string; readonly message: string }[] {
  const rules = isDuration(schema) ? [] : (schema["x-kubernetes-validations"] ?? []);
  const own = rules.map(({ message, fieldPath = "" }) => ({
    place: path + fieldPath,
    message,
  }));
  const below = schema.items === undefined ? [] : rulesOf({ path: `${path}[]`, schema: schema.items });
  return [...own, ...below, ...fieldsOf({ path, schema }).flatMap(rulesOf)];
}

function present(schema: OpenApiSchema | undefined): OpenApiSchema {
  if (schema === undefined) throw new TypeError("the schema has changed its shape: teach the generator");
  return schema;
}
