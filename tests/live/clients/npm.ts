// Asks with the FastCGI client of npm, which asks a server first what it can do
// (FCGI_GET_VALUES) and then puts all requests on one connection. It is a program
// of its own, for it has nothing to close it with. Its arguments are the path of
// a socket, and a body for each request; it prints the answers as JSON.

import createClient from "fastcgi-client";
import { within } from "../../support/peer.ts";

/** What of the client is used: its own types do not fit it. */
interface Client {
  on(event: "ready", ready: () => void): void;
  on(event: "error", failed: (error: Error) => void): void;
  request(
    params: Record<string, string>,
    begun: (error: Error | null, request: {
      stdin: { end(body: string): void };
      stdout: {
        on(event: "data", took: (data: Uint8Array) => void): void;
        on(event: "end", ended: () => void): void;
      };
    }) => void,
  ): void;
}

const [sockFile, ...bodies] = Deno.args;
const create = createClient as unknown as (options: object) => Client;
const client = create({ sockFile });
await within(
  new Promise<void>((resolve, reject) => {
    client.on("ready", resolve);
    client.on("error", reject);
  }),
  "the client to be ready",
);

/** The whole answer to one request. */
function ask(body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const params = {
      REQUEST_METHOD: "POST",
      REQUEST_URI: "/same?n=1",
      CONTENT_LENGTH: String(body.length),
    };
    client.request(params, (error, request) => {
      if (error !== null) return reject(error);
      let text = "";
      request.stdout.on("data", (data) => text += data);
      request.stdout.on("end", () => resolve(text));
      request.stdin.end(body);
    });
  });
}

const answers = Promise.all(bodies.map((body) => ask(body)));
console.log(JSON.stringify(await within(answers, "the answers")));
Deno.exit();
