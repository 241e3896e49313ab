import type { ManifestObject, ObjectId } from "./admit.ts";
import { compareText, type Problem } from "./problems.ts";
import type { Finding } from "./read-manifest.ts";

/** A file's last good version of an object. */
export interface Claim {
  readonly admitted: ManifestObject;
  readonly line: number;
}

export type FileClaims = ReadonlyMap<ObjectId, Claim>;

const NO_CLAIMS: FileClaims = new Map();

/** Which file says what. Of several that define the same object, the first in order of path counts. */
export class Claims {
  readonly #byFile = new Map<string, FileClaims>();
  readonly #filesOf = new Map<ObjectId, Set<string>>();

  /** What the file says. */
  of(file: string): FileClaims {
    return this.#byFile.get(file) ?? NO_CLAIMS;
  }

  /** Replaces what the file says; answers the objects that this touches. */
  set(file: string, claims: FileClaims): readonly ObjectId[] {
    const before = this.of(file);
    const touched: ObjectId[] = [];
    for (const [id, claim] of claims) {
      const old = before.get(id);
      if (old === undefined) this.#join(id, file);
      if (old?.admitted.object !== claim.admitted.object) touched.push(id);
    }
    for (const id of before.keys()) {
      if (claims.has(id)) continue;
      this.#leave(id, file);
      touched.push(id);
    }
    if (claims.size === 0) this.#byFile.delete(file);
    else this.#byFile.set(file, claims);
    return touched;
  }

  /** The version that counts; undefined = no file defines the object. */
  winner(id: ObjectId): (Claim & { readonly file: string }) | undefined {
    const [file] = this.#inOrder(id);
    const claim = file === undefined ? undefined : this.of(file).get(id);
    return file === undefined || claim === undefined ? undefined : { ...claim, file };
  }

  /** One problem for each file whose version of the object does not count. */
  conflicts(id: ObjectId): readonly Problem[] {
    const [winner, ...losers] = this.#inOrder(id);
    return losers.map((file) => ({
      file,
      line: this.of(file).get(id)?.line ?? 0,
      message: `${id.replace("|", " ")}: is defined in ${winner} already; this one is not used`,
    }));
  }

  #inOrder(id: ObjectId): readonly string[] {
    const files = [...(this.#filesOf.get(id) ?? [])];
    return files.length > 1 ? files.sort(compareText) : files;
  }

  #join(id: ObjectId, file: string): void {
    const files = this.#filesOf.get(id);
    if (files === undefined) this.#filesOf.set(id, new Set([file]));
    else files.add(file);
  }

  #leave(id: ObjectId, file: string): void {
    const files = this.#filesOf.get(id);
    files?.delete(file);
    if (files?.size === 0) this.#filesOf.delete(id);
  }
}

/**
 * What a file that parses claims from now on. An object that was refused keeps its last good version; and while it
 * cannot be told which object a document means, none of the file's is taken for deleted.
 */
export function nextClaims(
  findings: readonly Finding[],
  before: FileClaims,
): { readonly claims: FileClaims; readonly faults: readonly { readonly line: number; readonly message: string }[] } {
  const claims = new Map<ObjectId, Claim>();
  const faults: { line: number; message: string }[] = [];
  const refused = new Set<ObjectId>();
  let isAnyNameless = false;
  for (const finding of findings) {
    const { line } = finding;
    if (finding.kind === "refused") {
      faults.push({ line, message: finding.message });
      if (finding.id === undefined) isAnyNameless = true;
      else refused.add(finding.id);
    } else if (finding.kind === "admitted") {
      const { admitted } = finding;
      const first = claims.get(admitted.id);
      if (first === undefined) claims.set(admitted.id, { admitted, line });
      else faults.push({ line, message: secondInFile(admitted, first) });
    }
  }
  for (const [id, claim] of before) {
    if (!claims.has(id) && (isAnyNameless || refused.has(id))) claims.set(id, claim);
  }
  return { claims, faults };
}

function secondInFile({ kind, name }: ManifestObject, first: Claim): string {
  return `${kind} ${name}: is defined on line ${first.line} already; this one is not used`;
}
