// The last lines of an access log, where its program ends amid writing it.

import { assert } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { PROGRAM } from "../command/programs.ts";
import { within } from "../support/peer.ts";

/** More than a pipe holds, with what its reader is ahead. */
const LINES = 500;
const LINE_LENGTH = 1000;

/** What is written without waiting for more. */
const BATCH_LENGTH = 64 * 1024;

/** The most that may be lost: what is on its way into the pipe. */
const ON_ITS_WAY = 4096;

Deno.test("--access-log loses no line that waits where the program exits while a slow reader holds its output up", async () => {
  await using child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "-A", PROGRAM, "--bind=127.0.0.1:0"],
      ...["--access-log=stderr", "--access-format=%m %r %s"],
    ],
    env: { NO_COLOR: "1", END: "exit" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const log = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const port = await within(portOf(child.stdout), "the line of where");
  await using client = new FastCGIClient(`127.0.0.1:${port}`);
  const get = async (path: string) => {
    const request = new Request(`http://test${path}`);
    await (await within(client.fetch(request), "an answer")).text();
  };
  const lines = Array.from({ length: LINES }, (_, i) => {
    const path = `/${i}/`.padEnd(LINE_LENGTH, "x");
    return { path, line: `GET ${path} 200` };
  });
  for (const { path } of lines) await get(path);
  // Behind the first batch all that waited is one, which is begun by then.
  let text = "";
  while (text.length < 2 * BATCH_LENGTH) {
    const { done, value } = await within(log.read(), "the first lines");
    assert(!done, "it has ended");
    text += value;
  }
  await get("/end");
  // It exits meanwhile, unless it is slow, and waits for its reader.
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (;;) {
    const { done, value } = await within(log.read(), "further lines");
    if (done) break;
    text += value;
  }
  const missing = [...lines.map(({ line }) => line), "GET /end 200"]
    .filter((line) => !text.includes(`${line}\n`)).join("\n");
  assert(missing.length <= ON_ITS_WAY, `${missing.length} are missing`);
});

/** Reads where a program listens, and what else it says. */
async function portOf(output: ReadableStream<Uint8Array>): Promise<string> {
  let said = "";
  const decoder = new TextDecoder();
  for await (const chunk of output) {
    said += decoder.decode(chunk, { stream: true });
    const [, port] = /^Listening .*:(\d+)\n/m.exec(said) ?? [];
    if (port !== undefined) return port;
  }
  throw new Error(`It said ${said}`);
}
