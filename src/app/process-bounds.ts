import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import type { Log } from "../controller/index.ts";
import type { Config } from "./config.ts";
import { connectionBounds, descriptorLimit } from "./descriptor-limit.ts";
import { memoryLimit } from "./memory-limit.ts";

/** What the machine, or the container, lets this process have. */
export interface ProcessLimits {
  readonly memoryBytes: number;
  /** undefined = nobody says. */
  readonly descriptors: number | undefined;
}

/** How much of everything this process takes on. */
export interface ProcessBounds {
  readonly bufferBudgetBytes: number;
  /** undefined = as many as come. */
  readonly maxTunnels: number | undefined;
  /** Clients' connections, tunnels included; undefined = as many as come. */
  readonly maxConnections: number | undefined;
}

/** What is left of the memory is for the two heaps, code, and what the kernel keeps for sockets. */
const BUFFER_SHARE = 1 / 4;

/** As the flags say; where they say nothing, as the limits allow. */
export function processBounds(
  flags: Pick<Config, "bufferBudgetBytes" | "maxTunnels">,
  limits: ProcessLimits,
): ProcessBounds {
  const derived = limits.descriptors === undefined ? undefined : connectionBounds(limits.descriptors);
  return {
    bufferBudgetBytes: flags.bufferBudgetBytes ?? Math.floor(limits.memoryBytes * BUFFER_SHARE),
    maxTunnels: flags.maxTunnels ?? derived?.maxTunnels,
    maxConnections: derived?.maxConnections,
  };
}

/** One line at the start, and one more where a flag asks for what there is not. */
export function tellBounds(log: Log, bounds: ProcessBounds, limits: ProcessLimits): void {
  const { maxTunnels = Infinity, maxConnections = Infinity } = bounds;
  log.info({ ...bounds, memoryLimitBytes: limits.memoryBytes, descriptorLimit: limits.descriptors }, "process bounds");
  if (maxTunnels <= maxConnections) return;
  log.warn({ maxTunnels, maxConnections }, "--max-tunnels is more than the limit of open files allows");
}

/** Asks the system; once, at the start. */
export function readProcessLimits(): ProcessLimits {
  return {
    memoryBytes: memoryLimit({
      constrainedBytes: process.constrainedMemory(),
      machineBytes: totalmem(),
      readText,
    }),
    descriptors: descriptorLimit(readText("/proc/self/limits")),
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
