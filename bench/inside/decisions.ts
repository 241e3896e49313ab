import { createDecider, type Decision, type RequestFacts } from "../../src/proxy/index.ts";
import { TableHolder } from "../../src/routing/index.ts";
import { entryOf } from "./entries.ts";
import { freshText, type Scenario, type Work } from "./scenario.ts";

const DECISIONS = 250;
const HOSTS = 100;

const USER_AGENT =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
const COOKIE = `session=${"0123456789abcdef".repeat(4)}; theme=dark; _ga=GA1.1.1234567890.1700000000`;

/** What Chrome sends with `new WebSocket("ws://app-7.example.com/chat/rooms/1?token=abc", ["chat.v2", "chat.v1"])`. */
const HANDSHAKE: RequestFacts["headers"] = [
  ["Host", "app-7.example.com"],
  ["Connection", "Upgrade"],
  ["Pragma", "no-cache"],
  ["Cache-Control", "no-cache"],
  ["User-Agent", USER_AGENT],
  ["Upgrade", "websocket"],
  ["Origin", "https://app-7.example.com"],
  ["Sec-WebSocket-Version", "13"],
  ["Accept-Encoding", "gzip, deflate, br, zstd"],
  ["Accept-Language", "en-GB,en-US;q=0.9,en;q=0.8"],
  ["Cookie", COOKIE],
  ["Sec-WebSocket-Key", "q4xkcO32u266gldTuKaSOw=="],
  ["Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"],
  ["Sec-WebSocket-Protocol", "chat.v2, chat.v1"],
];

/** What Chrome sends for a page. */
const PAGE: RequestFacts["headers"] = [
  ["Host", "app-7.example.com"],
  ["Connection", "keep-alive"],
  ["sec-ch-ua", '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"'],
  ["sec-ch-ua-mobile", "?0"],
  ["sec-ch-ua-platform", '"Linux"'],
  ["Upgrade-Insecure-Requests", "1"],
  ["User-Agent", USER_AGENT],
  ["Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"],
  ["Sec-Fetch-Site", "none"],
  ["Sec-Fetch-Mode", "navigate"],
  ["Sec-Fetch-User", "?1"],
  ["Sec-Fetch-Dest", "document"],
  ["Accept-Encoding", "gzip, deflate, br, zstd"],
  ["Accept-Language", "en-GB,en-US;q=0.9,en;q=0.8"],
  ["Cookie", COOKIE],
];

function withHost(headers: RequestFacts["headers"], host: string): RequestFacts["headers"] {
  return headers.map(([name, value]) => [name, name === "Host" ? host : value]);
}

/** Makes facts as node's parser gives them: every string made for this request. */
function factsMaker(pairs: RequestFacts["headers"]): () => RequestFacts {
  const target = freshText("/chat/rooms/1?token=abc");
  const texts = pairs.map(([name, value]) => [freshText(name), freshText(value)] as const);
  return () => ({
    method: "GET",
    target: target(),
    headers: texts.map(([name, value]) => [name(), value()]),
    clientAddress: "192.0.2.7",
    scheme: "http",
    httpVersion: "1.1",
  });
}

function sizeOf(decision: Decision): number {
  return decision.kind === "refuse" ? decision.code.length : decision.head.headers.length + decision.head.target.length;
}

function deciding(headers: RequestFacts["headers"], kind: Decision["kind"]): Work {
  const tables = new TableHolder();
  for (let i = 0; i < HOSTS; i++) {
    const entry = entryOf({ name: `app-${i}`, match: { path: { type: "PathPrefix", value: "/chat" } } });
    tables.stage(structuredClone(new Map([[`app-${i}.example.com`, [entry]]])));
  }
  tables.commit(1);
  const decider = createDecider({ tables, pseudonym: "holdfast-00000000" });
  const nextFacts = factsMaker(headers);
  const one = decider.decide(nextFacts());
  if (one.kind !== kind) throw new Error(`decided ${JSON.stringify(one)}`);
  const facts: RequestFacts[] = [];
  return {
    prepare: () => {
      for (let i = 0; i < DECISIONS; i++) facts[i] = nextFacts();
    },
    run: () => {
      let size = 0;
      for (const request of facts) {
        const decision = decider.decide(request);
        if (decision.kind === kind) size += sizeOf(decision);
      }
      return size;
    },
    expected: DECISIONS * sizeOf(one),
  };
}

/** From the facts of a request to the head for the backend, or to the refusal. */
export function scenarios(): readonly Scenario[] {
  const scenario = (name: string, setup: () => Work): Scenario => ({ name, unit: "µs", units: DECISIONS, setup });
  return [
    scenario("decision, Chrome's handshake to a tunnel", () => deciding(HANDSHAKE, "tunnel")),
    scenario("decision, Chrome's page to a forward", () => deciding(PAGE, "forward")),
    scenario("decision, handshake without a route", () =>
      deciding(withHost(HANDSHAKE, "app-7.nowhere.test"), "refuse"),
    ),
    scenario("decision, handshake with a broken Host", () => deciding(withHost(HANDSHAKE, "app 7"), "refuse")),
  ];
}
