import type { IncomingMessage } from "node:http";
import type { Read } from "./fault.ts";

const MAX_BODY_BYTES = 8 * 1024;

/**
 * The JSON object of a request; an empty body is an empty object. Undefined: the client went away or took too long, and
 * nobody waits for an answer. Node's request timeout bounds how long it takes.
 */
export async function readObject(request: IncomingMessage): Promise<Read<object> | undefined> {
  const text = await readText(request);
  if (text === undefined) return undefined;
  if (text === "too large") {
    return { fault: { code: "body_too_large", message: `a body may have ${MAX_BODY_BYTES} bytes at most` } };
  }
  const body = text.bytes.toString().trim();
  if (body === "") return { value: {} };
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { value };
    return { fault: { code: "bad_json", message: "the body must be a JSON object, {} for none" } };
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    return { fault: { code: "bad_json", message: `the body is no JSON: ${why}` } };
  }
}

/** What is beyond the bound is thrown away as it comes, so that the answer is read before the connection ends. */
function readText(request: IncomingMessage): Promise<{ readonly bytes: Buffer } | "too large" | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      else resolve("too large");
    });
    request.on("end", () => resolve({ bytes: Buffer.concat(chunks) }));
    request.on("close", () => resolve(undefined));
  });
}
