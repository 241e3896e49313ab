import { z } from "zod";
import { celRules } from "./schema-notes.ts";

/**
 * A path as requests carry it: the bytes before any `?`, percent-escapes included. What could be read in two ways is
 * refused here, as proxy/ refuses it in requests (RFC 3986 3.3 for the characters; design.md 5 for the rest). `//` is
 * allowed, and matches only `//`: a request's slashes are never merged.
 */
export const pathValue = z
  .string()
  .min(1, { abort: true })
  .max(1024, { abort: true })
  .regex(/^\/([-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$/, {
    error:
      "must begin with '/' and hold only characters of a URL's path; others as %XX of their UTF-8 bytes, without '?' and '#'",
  })
  .meta(
    celRules(
      {
        // Servlet containers cut `;parameters` before they resolve dots.
        rule: "!self.matches('(^|/)([.]|%2[eE]){1,2}([/;]|$)')",
        message: "must not have '.' or '..' segments, also not encoded: write the path that is meant",
      },
      {
        rule: "!self.matches('%(2[fF]|5[cC]|00)')",
        message: "must not hold %2f, %5c or %00: requests with them are refused, so nothing would match",
      },
    ),
  );
