import { ANSWERS, answerHeaders, answerOf, type ProxyErrorCode } from "./answers.ts";

const INTRODUCTION = `# Errors

<!-- Generated from src/proxy/answers.ts by \`npm run generate\`. Do not edit. -->

Every failure before the 101 is an HTTP answer with one of these codes in the header \`holdfast-error\`, and a body that is
JSON (\`code\`, \`status\`, \`title\`, \`detail\`) for clients whose \`Accept\` prefers it, else plain text.
The codes are stable; logs and metrics use the same ones. An answer without \`holdfast-error\` came from a backend.

*Fault* says whose side to look at first. *Other backend*: another backend is tried first, as long as no byte of the
request has been written; the answer is seen only if that failed too.
`;

/** The page docs/reference/errors.md, made from the table. */
export function errorReference(): string {
  const codes = Object.keys(ANSWERS) as ProxyErrorCode[];
  const rows = codes.map((code) => {
    const { status, source, retryable, level } = answerOf(code);
    return `| [${code}](#${code.toLowerCase()}) | ${status} | ${source} | ${retryable ? "yes" : "no"} | ${level} |`;
  });
  const table = ["| Code | Status | Fault | Other backend | Log level |", "|---|---|---|---|---|", ...rows].join("\n");
  return `${INTRODUCTION}\n${table}\n\n${codes.map(section).join("\n")}`;
}

function section(code: ProxyErrorCode): string {
  const { status, title, help } = answerOf(code);
  const headers = answerHeaders(code).map(([name, value]) => `\`${name}: ${value}\``);
  const carries = headers.length === 0 ? "" : `\n\nThe answer carries ${headers.join(", ")}.`;
  return `## ${code}\n\n**${status}: ${title}.** ${help}${carries}\n`;
}
