// Which requests a web server passes on, and how.

import {
  askRaw,
  jsonOf,
  RawClient,
  readAnswer,
  requestLines,
} from "../http.ts";
import type { Feature } from "../features.ts";
import { getSecurely } from "../site.ts";
import type { Trial } from "../trial.ts";
import { goAmidBody } from "./connections.ts";
import { Control, saying } from "../control.ts";

export const REQUEST_FEATURES: readonly Feature[] = [
  { name: "HTTP/2", find: speaksHttp2 },
  {
    name: "passes methods it does not know",
    find: (trial) => first(trial, "BREW /"),
  },
  {
    name: "passes UTF-8 in a path that is not escaped",
    find: (trial) => first(trial, "GET /status/\xc3\xa9?code=200"),
  },
  {
    name: "passes a `%` that escapes nothing",
    find: (trial) => first(trial, "GET /status/%zz?code=200"),
  },
  { name: "keeps `X_Y` apart from `X-Y`", find: keepsNamesApart },
  { name: "longest header of a request", find: longestHeader },
  { name: "passes a chunked body of 1 MB", find: passesChunks },
  {
    name: "passes a body on while it comes",
    never: "no",
    find: streamsBodies,
  },
  {
    name: "client gone amid its body: reading fails with",
    never: "not told",
    find: seesAbortedBodies,
  },
];

async function speaksHttp2({ live }: Trial): Promise<string> {
  const { env } = await (await getSecurely(live.site, "/inspect")).json();
  return env.SERVER_PROTOCOL.startsWith("HTTP/2") ? "yes" : "no";
}

/** Whether a request without a body is answered by the program. */
async function first({ live }: Trial, line: string): Promise<string> {
  const { port } = live.site;
  const { status } = await askRaw(
    port,
    requestLines(`${line} HTTP/1.1`, [`Host: 127.0.0.1:${port}`]),
  );
  return status === 200 ? "yes" : String(status);
}

async function keepsNamesApart({ live }: Trial): Promise<string> {
  const { port } = live.site;
  const answer = await askRaw(
    port,
    requestLines("GET /inspect HTTP/1.1", [
      `Host: 127.0.0.1:${port}`,
      "X_Y: 1",
    ]),
  );
  return "x-y" in jsonOf(answer).headers ? "no" : "yes";
}

const KIB = 1024;

/** The longest of some lengths that arrives. */
async function longestHeader({ live }: Trial): Promise<string> {
  const { port } = live.site;
  for (const kib of [60, 30, 15, 7]) {
    const sent = "x".repeat(kib * KIB);
    const answer = await askRaw(
      port,
      requestLines("GET /inspect HTTP/1.1", [
        `Host: 127.0.0.1:${port}`,
        `X-Long: ${sent}`,
      ]),
    );
    if (answer.status !== 200) continue;
    if (jsonOf(answer).headers["x-long"] === sent) return `${kib} KiB`;
  }
  return "less than 7 KiB";
}

async function passesChunks({ live }: Trial): Promise<string> {
  const { port } = live.site;
  using client = await RawClient.to(port);
  const chunk = "x".repeat(10_000);
  const size = chunk.length.toString(16);
  try {
    await client.send(
      `POST /echo HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n` +
        "Transfer-Encoding: chunked\r\n\r\n",
    );
    for (let i = 0; i < 100; i++) {
      await client.send(`${size}\r\n${chunk}\r\n`);
    }
    await client.send("0\r\n\r\n");
  } catch {
    // Refused, and closed.
  }
  const answer = readAnswer(await client.toEnd());
  if (answer.status !== 200) return String(answer.status);
  return jsonOf(answer).length === 1_000_000 ? "yes" : "no";
}

async function streamsBodies(trial: Trial): Promise<string> {
  const { port } = trial.live.site;
  using control = new Control();
  using client = await RawClient.to(port);
  await client.send(
    `POST /upload?${control.query} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
      "Connection: close\r\nContent-Length: 600000\r\n\r\n",
  );
  await client.send(new Uint8Array(300_000));
  const line = await trial.hope(control.hopedLine());
  await client.send(new Uint8Array(300_000));
  if (line !== null) await saying(line, "that it began");
  const { text } = readAnswer(await client.toEnd());
  if (text !== "600000") return text;
  return line === null ? "no" : "yes";
}

async function seesAbortedBodies(trial: Trial): Promise<string> {
  const code = await goAmidBody(trial, trial.live.site.port);
  return code === null ? "not told" : `\`${code}\``;
}
