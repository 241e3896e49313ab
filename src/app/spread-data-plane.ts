import type { DataPlane } from "../controller/index.ts";
import type { Endpoint, TableDelta, UpstreamKey } from "../routing/index.ts";

/** Tells all data threads the same, each at the pace of its own acknowledgements. */
export class SpreadDataPlane implements DataPlane {
  readonly #planes: readonly DataPlane[];

  constructor(planes: readonly DataPlane[]) {
    this.#planes = planes;
  }

  /** Resolves when new requests are answered by the table, whichever thread accepts them. */
  async applyTable(delta: TableDelta): Promise<void> {
    await Promise.all(this.#planes.map((plane) => plane.applyTable(delta)));
  }

  setEndpoints(upstream: UpstreamKey, endpoints: readonly Endpoint[] | null): void {
    for (const plane of this.#planes) plane.setEndpoints(upstream, endpoints);
  }
}
