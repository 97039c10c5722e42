// The large read buffers that connections take turns with: what comes on a
// connection that is being closed must not come into the input of another.

import { assertEquals } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import {
  begin,
  concatLarge,
  GET,
  pairs,
  PARAMS,
  record,
  STDIN,
  stream,
} from "../support/wire.ts";

const PIECE = 30_000;
const PIECES = 60;

const filled = (letter: string) => letter.repeat(PIECE);

/** A POST up to its body. */
function post(keep: boolean): Uint8Array {
  const length = `${PIECE * PIECES}`;
  const params = { ...GET, REQUEST_METHOD: "POST", CONTENT_LENGTH: length };
  return concatLarge([
    begin(1, { keep }),
    stream(PARAMS, 1, pairs(params)),
  ]);
}

for (const unix of [false, true]) {
  const socket = unix ? "a Unix socket" : "TCP";

  Deno.test(`what comes on a closing connection reaches no other over ${socket}`, async () => {
    const answerFirst = gate();
    await using host = new Running(async (request, response) => {
      const text = await request.text();
      if (text.startsWith("a")) await answerFirst.promise;
      response.write(
        text === text[0]!.repeat(PIECE * PIECES) ? "whole" : "mixed",
      );
    }, { unix });
    using closing = await host.connect();
    using other = await host.connect();
    const a = record(STDIN, 1, filled("a"));
    // The beginning of one more, so that it is not closed right away.
    const part = a.subarray(0, 1);
    await closing.send(post(false), ...Array(PIECES).fill(a), part);
    // All of it was read, and more is waited for.
    await host.goOn();
    answerFirst.resolve();
    assertEquals((await closing.answer()).text, "whole");
    assertEquals(await closing.toEnd(), [], "the server has closed its side");

    const b = record(STDIN, 1, filled("b"));
    await other.send(post(true), b);
    for (let sent = 1; sent < PIECES; sent++) {
      await host.goOn(2);
      // Both are there when the server looks next.
      await Promise.all([other.send(b), closing.send(a)]);
    }
    assertEquals((await other.answer()).text, "whole");
    assertEquals(host.logged, []);
  });
}
