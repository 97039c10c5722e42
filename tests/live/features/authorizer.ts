// Whether a web server asks an Authorizer, and what becomes of its answers.

import type { Feature } from "../features.ts";
import { startGuarded } from "../guarded.ts";
import { askRaw, requestLines } from "../http.ts";
import type { RawAnswer } from "../http.ts";
import type { Trial } from "../trial.ts";

export const AUTHORIZER_FEATURES: readonly Feature[] = [
  { name: "asks an Authorizer", find: asks },
  { name: "passes its denial on, with the body", find: passesDenials },
];

/** What comes of a decision; null where none is asked for. */
async function decide(
  { webServer }: Trial,
  decision: string,
): Promise<RawAnswer | null> {
  if (webServer.asksAuthorizer === undefined) return null;
  await using guarded = await startGuarded(webServer);
  const { port } = guarded.site;
  const host = `Host: 127.0.0.1:${port}`;
  return await askRaw(
    port,
    requestLines(`GET /guarded/${decision} HTTP/1.1`, [host]),
  );
}

async function asks(trial: Trial): Promise<string> {
  const answer = await decide(trial, "allowed");
  return answer?.text.includes("alice") ? "yes" : "no";
}

async function passesDenials(trial: Trial): Promise<string> {
  const answer = await decide(trial, "denied");
  if (answer === null) return "—";
  return answer.text === "denied, for a reason" ? "yes" : `${answer.status}`;
}
