import { describe, expect, test } from "vitest";
import { answerBody, MAX_DETAIL_CHARS } from "./answer-body.ts";
import { ANSWERS, answerHeaders, answerOf, ProxyError, type ProxyErrorCode } from "./answers.ts";
import { errorReference } from "./error-reference.ts";

const CODES = Object.keys(ANSWERS) as ProxyErrorCode[];

describe("the table of answers", () => {
  test.for(CODES)("%s is a whole answer in printable ASCII", (code) => {
    const { status, title, help } = answerOf(code);
    expect(code).toMatch(/^HF_[A-Z]+(_[A-Z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(title).toMatch(/^[ -~]{10,80}$/);
    expect(help).toMatch(/^[ -~]{20,}\.$/);
  });

  test.for(CODES)("%s blames the side that its status blames", (code) => {
    const { status, source } = answerOf(code);
    expect(source === "client").toBe(status < 500 || status === 501);
  });

  test("only a failed dial may be tried on another backend", () => {
    const retryable = CODES.filter((code) => answerOf(code).retryable);
    expect(retryable).toEqual(["HF_DIAL_REFUSED", "HF_DIAL_TIMEOUT", "HF_FORBIDDEN_TARGET"]);
  });

  test.for<{ name: string; code: ProxyErrorCode; want: [string, string] }>([
    { name: "426 says what to upgrade to", code: "HF_PLAIN_HTTP_REJECTED", want: ["upgrade", "websocket"] },
    { name: "426 names Upgrade in Connection", code: "HF_PLAIN_HTTP_REJECTED", want: ["connection", "Upgrade"] },
    { name: "a wrong version learns the right one", code: "HF_UPGRADE_VERSION", want: ["sec-websocket-version", "13"] },
    { name: "a wrong version gets a whole 426", code: "HF_UPGRADE_VERSION", want: ["upgrade", "websocket"] },
    { name: "405 says what is allowed", code: "HF_UPGRADE_METHOD", want: ["allow", "GET"] },
    { name: "503 for want of backends says when to come back", code: "HF_NO_BACKEND", want: ["retry-after", "1"] },
  ])("$name", ({ code, want }) => {
    expect(answerHeaders(code)).toContainEqual(want);
  });

  test("every 426 and 405 carries the header its status demands", () => {
    for (const code of CODES) {
      const names = answerHeaders(code).map(([name]) => name);
      if (answerOf(code).status === 426) expect(names).toContain("upgrade");
      if (answerOf(code).status === 405) expect(names).toContain("allow");
    }
  });

  test("a ProxyError keeps code, detail, cause and answer", () => {
    const cause = new Error("ECONNREFUSED");
    const error = new ProxyError("HF_DIAL_REFUSED", "10.0.0.1:80", cause);
    expect(error).toMatchObject({ name: "ProxyError", code: "HF_DIAL_REFUSED", detail: "10.0.0.1:80", cause });
    expect(error.message).toBe("HF_DIAL_REFUSED: 10.0.0.1:80");
    expect(error.answer.status).toBe(502);
  });
});

describe("the body of an answer", () => {
  test.for([
    { name: "text for a client that says nothing", accept: undefined, json: false },
    { name: "text for an empty Accept", accept: "", json: false },
    { name: "text for */*, as curl says", accept: "*/*", json: false },
    {
      name: "text for a browser",
      accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
      json: false,
    },
    { name: "JSON where it is asked for", accept: "application/json", json: true },
    { name: "JSON in any spelling", accept: "Application/JSON", json: true },
    { name: "JSON named before everything else", accept: "application/json, text/plain, */*", json: true },
    { name: "text named before JSON", accept: "text/plain, application/json", json: false },
    { name: "JSON with the greater weight", accept: "text/plain;q=0.5, application/json;q=0.9", json: true },
    { name: "text when JSON is refused", accept: "application/json;q=0, */*", json: false },
    { name: "JSON beside a wildcard of the same weight", accept: "*/*, application/json", json: true },
    { name: "JSON for application/*", accept: "application/*", json: true },
    { name: "text for a type we do not have", accept: "image/png", json: false },
    { name: "text for a weight that is no number", accept: "application/json;q=high", json: false },
    { name: "text for garbage", accept: ";;;,,,q=;/", json: false },
  ])("is $name", ({ accept, json }) => {
    const { contentType, body } = answerBody("HF_NO_ROUTE", "", accept);
    expect(contentType).toBe(json ? "application/json" : "text/plain; charset=utf-8");
    expect(body.startsWith("{")).toBe(json);
  });

  test("JSON holds code, status, title and detail", () => {
    const { body } = answerBody("HF_BAD_HOST", "no Host header", "application/json");
    expect(JSON.parse(body)).toEqual({
      code: "HF_BAD_HOST",
      status: 400,
      title: ANSWERS.HF_BAD_HOST.title,
      detail: "no Host header",
    });
  });

  test("text holds the code, the title and the detail on lines of their own", () => {
    expect(answerBody("HF_BAD_HOST", "no Host header", undefined).body).toBe(
      `HF_BAD_HOST: ${ANSWERS.HF_BAD_HOST.title}\nno Host header\n`,
    );
    expect(answerBody("HF_NO_ROUTE", "", undefined).body).toBe(`HF_NO_ROUTE: ${ANSWERS.HF_NO_ROUTE.title}\n`);
  });

  test.for(["text/plain", "application/json"])("never echoes control or non-ASCII characters (%s)", (accept) => {
    const { body } = answerBody("HF_BAD_REQUEST", "a\r\nSet-Cookie: x\u0000\u001b[31m\u00e9\u2028\ud800", accept);
    expect(body).toMatch(/^[\n -~]+$/);
    expect(body).toContain("u{d}");
    expect(body).not.toContain("\nSet-Cookie");
  });

  test.for(["text/plain", "application/json"])("is bounded however long the detail is (%s)", (accept) => {
    const { body } = answerBody("HF_BAD_REQUEST", "\u0001".repeat(1_000_000), accept);
    expect(body.length).toBeLessThan(MAX_DETAIL_CHARS * 8 + 200);
  });

  test("a huge Accept header is not read to its end", () => {
    const { contentType } = answerBody("HF_NO_ROUTE", "", `${"a/b,".repeat(100_000)}application/json`);
    expect(contentType).toBe("text/plain; charset=utf-8");
  });
});

describe("the reference page", () => {
  const page = errorReference();

  test.for(CODES)("has a row and a section for %s", (code) => {
    expect(page).toContain(`| [${code}](#${code.toLowerCase()}) | ${answerOf(code).status} |`);
    expect(page).toContain(`\n## ${code}\n\n**${answerOf(code).status}: ${answerOf(code).title}.**`);
  });

  test("says which headers an answer carries", () => {
    expect(page).toContain("`sec-websocket-version: 13`");
  });

  test("ends with one newline and has no blank line twice", () => {
    expect(page).toMatch(/[^\n]\n$/);
    expect(page).not.toContain("\n\n\n");
  });
});
