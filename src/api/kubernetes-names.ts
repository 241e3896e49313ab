import { z } from "zod";
import { numberBetween } from "./limits.ts";

// Patterns are RE2 and JavaScript alike: no lookarounds, no flags (the API server runs them with Go's regexp). Length is
// checked first and ends the check, so that no pattern ever runs over a long text.

/** A DNS label (RFC 1123 2.1): names of Services and namespaces. */
export const dnsLabel = z
  .string()
  .min(1, { abort: true })
  .max(63, { abort: true })
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, {
    error: "must be lower-case letters, digits and '-', and begin and end with a letter or digit",
  });

/** A DNS subdomain (RFC 1123): names of most Kubernetes objects. */
export const dnsSubdomain = z
  .string()
  .min(1, { abort: true })
  .max(253, { abort: true })
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, {
    error: "must be lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit",
  });

/** A port number of TCP. */
export const portNumber = numberBetween(1, 65_535);
