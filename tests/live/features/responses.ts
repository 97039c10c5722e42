// What a web server makes of responses, and of clients that go away.

import { Control, saying } from "../control.ts";
import type { Feature } from "../features.ts";
import { askBroken, askRaw, RawClient, requestLines } from "../http.ts";
import type { RawAnswer } from "../http.ts";
import type { Trial } from "../trial.ts";

export const RESPONSE_FEATURES: readonly Feature[] = [
  { name: "logs what the program logs", never: "no", find: logs },
  { name: "keeps reason phrases", find: keepsReasons },
  { name: "longest header of a response", find: longestHeader },
  { name: "answers `Range` itself", find: answersRanges },
  { name: "response of unknown length that breaks off", find: breaksOff },
  {
    name: "client gone while the program waits: the signal has",
    never: "not told",
    find: seesLeavers,
  },
];

async function ask(
  { live }: Trial,
  path: string,
  headers: readonly string[] = [],
): Promise<RawAnswer> {
  const { port } = live.site;
  return await askRaw(
    port,
    requestLines(`GET ${path} HTTP/1.1`, [
      `Host: 127.0.0.1:${port}`,
      ...headers,
    ]),
  );
}

async function logs(trial: Trial): Promise<string> {
  const mark = crypto.randomUUID();
  await ask(trial, `/log?${mark}`);
  const { server } = trial.live.site;
  return await trial.hope(server.hopedLine(new RegExp(mark))) === null
    ? "no"
    : "yes";
}

async function keepsReasons(trial: Trial): Promise<string> {
  const { reason } = await ask(trial, "/status?code=404&reason=Gone+Fishing");
  return reason === "Gone Fishing" ? "yes" : "no";
}

const KIB = 1024;

/** The longest of some lengths that arrives. */
async function longestHeader(trial: Trial): Promise<string> {
  for (const kib of [60, 30, 15, 7]) {
    const answer = await ask(trial, `/long?length=${kib * KIB}`);
    const [value = ""] = answer.headers.filter(([name]) => name === "x-long")
      .map(([, value]) => value);
    if (answer.status === 200 && value.length === kib * KIB) {
      return `${kib} KiB`;
    }
  }
  return "less than 7 KiB";
}

async function answersRanges(trial: Trial): Promise<string> {
  const { status } = await ask(trial, "/", ["Range: bytes=0-3"]);
  return status === 206 ? "yes" : "no";
}

async function breaksOff({ live }: Trial): Promise<string> {
  const { isWhole } = await askBroken(live.site.port);
  return isWhole ? "looks whole" : "breaks off";
}

async function seesLeavers(trial: Trial): Promise<string> {
  using control = new Control();
  const { port } = trial.live.site;
  let line;
  {
    using client = await RawClient.to(port);
    await client.send(
      `GET /wait?${control.query} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`,
    );
    line = await control.line();
    await saying(line, "that it began");
  }
  const said = await trial.hope(line.next());
  return said === null ? "not told" : `\`${said.replace("signal ", "")}\``;
}
