import { WebSocket } from "ws";
import { type AskedOver, boundInterim, probeHeaders } from "./probe-request.ts";
import { badAnswer, MOST_BYTES, type ProbeRun, SUCCESS } from "./probe-run.ts";

const NORMAL = 1000;

/**
 * A handshake answered with 101, then a Ping answered with its Pong, then a Close. Offers no subprotocol and no extension.
 * @param payload of the Ping; a Pong to anything else is no answer to it (RFC 6455 5.5.3 allows unasked ones).
 */
export function askOverWebSocket(run: ProbeRun, asked: AskedOver, payload: Buffer): void {
  run.boundReading();
  run.awaits("no answer in time");
  // The address is the socket's business; the URL's own parser would change a path that is not in its normal form.
  const client = new WebSocket("ws://backend/", {
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: MOST_BYTES,
    headers: { ...probeHeaders(asked) },
    createConnection: () => run.socket,
    finishRequest: (request) => {
      boundInterim(run, request);
      request.path = asked.path;
      request.end();
    },
  });
  client
    .on("error", (error) => run.end(badAnswer(error.message)))
    .on("unexpected-response", (_request, response) => {
      response.on("error", () => {});
      run.end(badAnswer(`status ${response.statusCode ?? 0}`));
    })
    .on("open", () => {
      run.awaits("no Pong in time");
      client.ping(payload);
    })
    .on("pong", (data) => {
      if (!data.equals(payload)) return;
      run.found(SUCCESS);
      client.close(NORMAL);
    })
    .on("close", (code) => run.end(badAnswer(`closed with ${code} before the Pong`)));
}
