// How a web server comes by programs, and what it does with connections.

import { ABORT, GET_VALUES } from "../../support/wire.ts";
import { Control, saying } from "../control.ts";
import type { Feature } from "../features.ts";
import { Folder } from "../folder.ts";
import { RawClient } from "../http.ts";
import { FREE_PORT, startedCommand, startOn } from "../program.ts";
import { get, startServer } from "../site.ts";
import type { Trial } from "../trial.ts";
import type { Behind } from "../web_server.ts";

export const CONNECTION_FEATURES: readonly Feature[] = [
  { name: "version", find: version },
  { name: "connects over TCP", find: connectsOverTcp },
  { name: "connects over a Unix socket", find: connectsOverUnix },
  { name: "starts the program", find: starts },
  { name: "goes on with another program where one is gone", find: failsOver },
  { name: "keeps connections", find: keepsConnections },
  { name: "requests at once on a connection", find: sharesConnections },
  { name: "sends FCGI_GET_VALUES", find: asksForValues },
  { name: "sends FCGI_ABORT_REQUEST", never: "no", find: aborts },
];

/** The numbers in SERVER_SOFTWARE that are its own. */
async function version({ live }: Trial): Promise<string> {
  const { env } = await (await live.ask("/inspect")).json();
  const numbers = (env.SERVER_SOFTWARE as string).matchAll(
    /(?:nginx|lighttpd|Apache|mod_fcgid|Caddy|h2o|HAProxy)[/ ]([\d.]+)/g,
  );
  return Array.from(numbers, ([, number]) => number).join(", ");
}

/** Whether the program answers behind it. */
async function answers(
  { webServer }: Trial,
  behind: (folder: string) => Behind | Promise<Behind>,
): Promise<string> {
  await using folder = new Folder();
  const { path } = folder;
  await using site = await startServer(webServer, path, await behind(path));
  const response = await get(site, "/");
  const text = await response.text();
  return text === "Hello World!" ? "yes" : `${response.status}`;
}

async function connectsOverTcp(trial: Trial): Promise<string> {
  if (!trial.webServer.connects) return "no";
  await using app = await startOn(FREE_PORT);
  return await answers(trial, () => ({ addresses: [app.address] }));
}

async function connectsOverUnix(trial: Trial): Promise<string> {
  if (!trial.webServer.connects) return "no";
  await using folder = new Folder();
  await using app = await startOn(`${folder.path}/app.sock`);
  return await answers(trial, () => ({ addresses: [app.address] }));
}

async function starts(trial: Trial): Promise<string> {
  const { webServer } = trial;
  if (!webServer.starts) return "no";
  return await answers(trial, async (folder) => ({
    command: await startedCommand(webServer, folder),
  }));
}

async function failsOver({ webServer }: Trial): Promise<string> {
  if (!webServer.balances) return "no";
  await using folder = new Folder();
  const { path } = folder;
  await using stays = await startOn(`${path}/a.sock`);
  await using goes = await startOn(`${path}/b.sock`);
  const addresses = [stays.address, goes.address];
  await using site = await startServer(webServer, path, { addresses });
  await goes.program.stop("SIGKILL");
  for (let i = 0; i < 20; i++) {
    const response = await get(site, "/");
    await response.body?.cancel();
    if (response.status !== 200) return "no";
  }
  return "yes";
}

async function keepsConnections(trial: Trial): Promise<string> {
  const { site, relay } = await trial.wired();
  const before = relay.accepted;
  const COUNT = 20;
  for (let i = 0; i < COUNT; i++) await (await get(site, "/")).text();
  return relay.accepted - before < COUNT ? "yes" : "no";
}

/** Several requests that all have begun, and none has ended. */
async function sharesConnections(trial: Trial): Promise<string> {
  const { site, relay } = await trial.wired();
  // HAProxy shares no connection before it was answered on it.
  await (await get(site, "/")).text();
  using control = new Control();
  const asked = Array.from(
    { length: 4 },
    async () => await (await get(site, `/wait?${control.query}`)).text(),
  );
  const lines = [];
  for (const _ of asked) lines.push(await control.line());
  const most = relay.mostInFlight;
  for (const line of lines) await line.say("go on");
  await Promise.all(asked);
  return most > 1 ? "many" : "1";
}

async function asksForValues(trial: Trial): Promise<string> {
  const { relay } = await trial.wired();
  return relay.came.has(GET_VALUES) ? "yes" : "no";
}

/** A client goes away amid its body. */
async function aborts(trial: Trial): Promise<string> {
  const { site, relay } = await trial.wired();
  await goAmidBody(trial, site.port);
  return relay.came.has(ABORT) ? "yes" : "no";
}

/**
 * Sends half of a body, and goes away: what the program is told of it; null
 * where it never began.
 */
export async function goAmidBody(
  trial: Trial,
  port: number,
): Promise<string | null> {
  using control = new Control();
  let line;
  {
    using client = await RawClient.to(port);
    await client.send(
      `POST /upload?${control.query} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
        "Content-Length: 1000000\r\n\r\n",
    );
    await client.send(new Uint8Array(500_000));
    line = await trial.hope(control.hopedLine());
    if (line === null) return null;
  }
  for (;;) {
    const said = await saying(line, "what becomes of the body");
    if (said.startsWith("failed ")) return said.slice("failed ".length);
  }
}
