// WSGI-style applications under test, behind a Gateway.

import { Gateway } from "../../src/gateway/gateway.ts";
import type {
  StartResponse,
  WsgiApplication,
  WsgiBody,
  WsgiEnvironment,
} from "../../src/gateway/wsgi_types.ts";
import type { ApplicationOptions } from "../../src/options.ts";
import { ask } from "./ask.ts";
import type { Asked, Question } from "./ask.ts";
import { STDOUT } from "./wire.ts";
import type { WireRecord } from "./wire.ts";

/** Asks an application once. */
export function askWsgi(
  app: WsgiApplication,
  question: Question = {},
  options: ApplicationOptions = {},
): Promise<Asked> {
  return ask(new Gateway(app, options), question);
}

/** An application of one status and one header, with a body. */
export function answering(
  body: (env: WsgiEnvironment) => WsgiBody | Promise<WsgiBody>,
  status = "200 OK",
  headers: [string, string][] = [["Content-Type", "text/plain"]],
): WsgiApplication {
  return (env: WsgiEnvironment, startResponse: StartResponse) => {
    startResponse(status, headers);
    return body(env);
  };
}

/** What an application saw of its environment, and gave back by JSON. */
export async function seenOf(
  look: (env: WsgiEnvironment) => unknown,
  question: Question = {},
): Promise<unknown> {
  const { text, status, stderr } = await askWsgi(
    answering(async (env) => [JSON.stringify(await look(env) ?? null)]),
    question,
  );
  if (status !== 200) throw new Error(`answered ${status}: ${stderr}${text}`);
  return JSON.parse(text);
}

/** What has come of the body of a response. */
export function bodySoFar(records: WireRecord[]): string {
  const stdout = records.filter(({ type }) => type === STDOUT)
    .map(({ content }) => new TextDecoder().decode(content)).join("");
  const end = stdout.indexOf("\r\n\r\n");
  return end < 0 ? "" : stdout.slice(end + 4);
}
