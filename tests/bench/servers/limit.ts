// The runtime's own limit: one read and one write per request, nothing parsed.
// What a server can lose against it is its own work.
//
//   limit.ts ADDRESS [--request BYTES] [--body BYTES] [--read-buffer BYTES]
//     [--fresh]
//
// Without --request every read is a request, as every request of a load
// generator's closed loop is that fits into the buffer. With it so many bytes
// are read for each. With --fresh each read has a buffer of its own, as where
// the bytes are given away. The answer has a body of --body bytes, "Hello World!" by
// default, in records framed beforehand.

import { parseArgs } from "node:util";
import { announce, listenAt } from "./address.ts";

const MAX_CONTENT_LENGTH = 65_535;
const HEAD = "Content-Type: text/html; charset=utf-8\r\n\r\n";
const END = [1, 6, 0, 1, 0, 0, 0, 0, 1, 3, 0, 1, 0, 8, 0, 0, ...Array(8)];

/** A whole answer to request 1. */
function frame(text: string): Uint8Array {
  const content = new TextEncoder().encode(text);
  const records = Math.ceil(content.length / MAX_CONTENT_LENGTH);
  const framed = new Uint8Array(content.length + records * 8 + END.length);
  let at = 0;
  for (let from = 0; from < content.length; from += MAX_CONTENT_LENGTH) {
    const piece = content.subarray(from, from + MAX_CONTENT_LENGTH);
    framed.set([1, 6, 0, 1, piece.length >> 8, piece.length & 255, 0, 0], at);
    framed.set(piece, at + 8);
    at += 8 + piece.length;
  }
  framed.set(END, at);
  return framed;
}

async function serve(
  connection: Deno.Conn,
  answer: Uint8Array,
  requestLength: number,
  bufferLength: number,
  isFresh: boolean,
): Promise<void> {
  let buffer = new Uint8Array(bufferLength);
  try {
    let length = 0;
    for (;;) {
      if (isFresh) buffer = new Uint8Array(bufferLength);
      const read = await connection.read(buffer);
      if (read === null) break;
      length += read;
      if (length < requestLength) continue;
      length = 0;
      let written = await connection.write(answer);
      while (written < answer.length) {
        written += await connection.write(answer.subarray(written));
      }
    }
  } catch {
    // The load generator has closed the connection.
  }
  connection.close();
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    request: { type: "string", default: "1" },
    body: { type: "string" },
    "read-buffer": { type: "string", default: "4096" },
    fresh: { type: "boolean", default: false },
  },
});
const body = values.body === undefined
  ? "Hello World!"
  : "x".repeat(Number(values.body));
const answer = frame(HEAD + body);
const listener = listenAt(positionals[0]!);
announce(listener.addr);
for await (const connection of listener) {
  serve(
    connection,
    answer,
    Number(values.request),
    Number(values["read-buffer"]),
    values.fresh,
  );
}
