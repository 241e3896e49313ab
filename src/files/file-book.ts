import type { Log } from "../controller/index.ts";
import type { Put, Removed } from "../dns/index.ts";
import type { ObjectId } from "./admit.ts";
import { type Claim, Claims, nextClaims } from "./claims.ts";
import { type Problem, Problems } from "./problems.ts";
import { type DocumentCache, type Finding, readManifest } from "./read-manifest.ts";

const EMPTY_CACHE: DocumentCache = new Map();
const KEPT = "what this file said last stays in force";

/** What the files of the folder say together: their texts in, objects that came and went out, and what is wrong. */
export class FileBook {
  readonly #log: Log;
  readonly #problems: Problems;
  readonly #claims = new Claims();
  readonly #caches = new Map<string, DocumentCache>();
  readonly #touched = new Set<ObjectId>();
  /** Kinds that are not ours, by file: said once each. */
  readonly #ignored = new Map<string, ReadonlySet<string>>();

  constructor(log: Log) {
    this.#log = log;
    this.#problems = new Problems(log);
  }

  problems(): readonly Problem[] {
    return this.#problems.list();
  }

  /** The text of a file as it is now. */
  read(file: string, text: string): void {
    const before = this.#caches.get(file) ?? EMPTY_CACHE;
    const { manifest, cache } = readManifest(text, before);
    this.#caches.set(file, cache);
    if (!manifest.ok) {
      const faults = manifest.faults.map(({ line, message }) => ({ file, line, message: `${message}; ${KEPT}` }));
      this.#problems.set(file, faults);
      return;
    }
    const { claims, faults } = nextClaims(manifest.findings, this.#claims.of(file));
    this.#sayIgnored(file, manifest.findings);
    this.#claim(file, claims);
    this.#problems.set(
      file,
      faults.map((fault) => ({ file, ...fault })),
    );
  }

  /** The file cannot be read; what it said last stays. */
  misread(file: string, message: string): void {
    this.#problems.set(file, [{ file, line: 0, message: `${message}; ${KEPT}` }]);
  }

  /** The file is gone, and what it said with it. */
  forget(file: string): void {
    this.#caches.delete(file);
    this.#ignored.delete(file);
    this.#claim(file, new Map());
    this.#problems.set(file, []);
  }

  /** What is wrong with the folder as such. */
  setFolderProblems(problems: readonly Problem[]): void {
    this.#problems.set("", problems);
  }

  /** What is wrong with an object, apart from its text; undefined = nothing. */
  setObjectProblem(id: ObjectId, message: string | undefined): void {
    const { file = "", line = 0 } = this.#claims.winner(id) ?? {};
    const problem = { file, line, message: `${id.replace("|", " ")}: ${message}` };
    this.#problems.set(`object ${id}`, message === undefined ? [] : [problem]);
  }

  /** The objects that came, changed or went since the last call. */
  takeChanges(): { readonly put: readonly Put[]; readonly removed: readonly Removed[] } {
    const put: Put[] = [];
    const removed: Removed[] = [];
    for (const id of this.#touched) {
      const winner = this.#claims.winner(id);
      this.#problems.set(`conflict ${id}`, this.#claims.conflicts(id));
      if (winner !== undefined) put.push(winner.admitted);
      else removed.push(partsOf(id));
    }
    this.#touched.clear();
    return { put, removed };
  }

  #claim(file: string, claims: ReadonlyMap<ObjectId, Claim>): void {
    for (const id of this.#claims.set(file, claims)) this.#touched.add(id);
  }

  #sayIgnored(file: string, findings: readonly Finding[]): void {
    const before = this.#ignored.get(file);
    const kinds = new Set(findings.flatMap((finding) => (finding.kind === "ignored" ? [finding.what] : [])));
    for (const kind of kinds) if (before?.has(kind) !== true) this.#log.debug({ file, kind }, "kind ignored");
    if (kinds.size > 0) this.#ignored.set(file, kinds);
    else this.#ignored.delete(file);
  }
}

function partsOf(id: ObjectId): Removed {
  const bar = id.indexOf("|");
  return { kind: id.slice(0, bar) as Removed["kind"], name: id.slice(bar + 1) };
}
