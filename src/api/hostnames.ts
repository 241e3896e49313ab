import { z } from "zod";
import { LIST_IS_SET } from "./schema-notes.ts";

const LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
// A last label that begins with a letter keeps out every spelling of an IPv4 address (WHATWG URL 5.5: "ends in a
// number"); no label holds a colon, which keeps out IPv6.
const LAST_LABEL = "[a-z]([-a-z0-9]{0,61}[a-z0-9])?";
const PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

const hostnamePattern = z
  .string()
  .min(1, { abort: true })
  .max(253, { abort: true })
  .regex(new RegExp(`^(\\*\\.)?(${LABEL}\\.)*${LAST_LABEL}$`), {
    error: "must be a lower-case DNS name, or one behind '*.', and neither an IP address nor with a port",
  })
  .describe("A lower-case DNS name (chat.example.com), or `*.` and a name, for any number of labels in its place.");

export const hostnames = z
  .array(hostnamePattern)
  .max(16, { abort: true })
  .meta(LIST_IS_SET)
  .describe(
    "Hosts that the route serves. An exact name wins over the longest matching wildcard, that over a route without " +
      "hostnames. None: every host, which in a cluster only namespaces may claim that the administrator names. The port of a " +
      "request's Host does not matter.",
  );

/** A Host header to be sent: a name, with a port where the backend wants to see one. */
export const hostHeader = z
  .string()
  .min(1, { abort: true })
  .max(259, { abort: true })
  .regex(new RegExp(`^(${LABEL}\\.)*${LAST_LABEL}(:${PORT})?$`), {
    error: "must be a lower-case DNS name, with or without a port from 1 to 65535, and not an IP address",
  });
