import { request } from "node:http";
import { badAnswer, type ProbeRun, SUCCESS } from "./probe-run.ts";
import { type AskedOver, boundInterim, probeHeaders } from "./probe-request.ts";

/** Header of an answer; Node's own default, said here since it is a bound. */
const MOST_HEAD_BYTES = 16 * 1024;

/**
 * A GET, answered with 200 to 399 (as the kubelet has it). Redirects are an answer and not followed: they would lead wherever the
 * backend likes. What follows the head is read for a moment and thrown away, so that the backend can say it in peace.
 */
export function askOverHttp(run: ProbeRun, asked: AskedOver): void {
  run.boundReading();
  run.awaits("no answer in time");
  const asking = request({
    method: "GET",
    path: asked.path,
    headers: { ...probeHeaders(asked), accept: "*/*" },
    maxHeaderSize: MOST_HEAD_BYTES,
    createConnection: () => run.socket,
  });
  boundInterim(run, asking);
  asking
    .on("error", (error) => run.end(badAnswer(error.message)))
    .on("upgrade", () => run.end(badAnswer("status 101")))
    .on("response", (response) => {
      const { statusCode = 0 } = response;
      run.found(statusCode >= 200 && statusCode < 400 ? SUCCESS : badAnswer(`status ${statusCode}`));
      // Node ends the connection with the answer, since it was asked for with `Connection: close`.
      response.on("error", () => run.end()).resume();
    })
    .end();
}
