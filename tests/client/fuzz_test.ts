// FastCGIClient in front of a server that sends anything: every request and
// every body comes to an end, with an answer or with an error of this package.

import { assert, assertEquals } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import type { Transport } from "../../src/client/client.ts";
import { FastCgiError } from "../../src/errors.ts";
import { turn } from "../support/answering.ts";
import { within } from "../support/peer.ts";
import { randomBytes, seeded, whole } from "../support/random.ts";
import {
  concatLarge,
  end,
  GET_VALUES_RESULT,
  pairs,
  record,
  STDERR,
  STDOUT,
} from "../support/wire.ts";

/** A connection that takes whatever is written, and gives these bytes. */
class Bytes implements Transport {
  readonly #pieces: Uint8Array[];
  isClosed = false;

  constructor(pieces: Uint8Array[]) {
    this.#pieces = pieces;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const piece = this.#pieces.shift();
    if (piece === undefined) return Promise.resolve(null);
    buffer.set(piece);
    return Promise.resolve(piece.length);
  }

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
  }

  ref(): void {}
  unref(): void {}
}

type Random = ReturnType<typeof seeded>;

/** A record, mostly of what a server may send. */
function anyRecord(random: Random): Uint8Array {
  const id = whole(random, 0, 5) === 0 ? whole(random, 0, 3) : 1;
  const padding = whole(random, 0, 20);
  switch (whole(random, 0, 9)) {
    case 0:
      return record(STDOUT, id, "A: b\r\nStatus: 200 OK\r\n\r\n", padding);
    case 1:
      return record(STDOUT, id, "Content-Length: 9\r\n\r\nnine", padding);
    case 2:
      return record(STDOUT, id, randomBytes(random, whole(random, 0, 200)));
    case 3:
      return record(STDERR, id, randomBytes(random, whole(random, 0, 200)));
    case 4:
      return record(STDOUT, id, "", padding);
    case 5:
      return end(id, whole(random, 0, 300), whole(random, 0, 4));
    case 6:
      return record(
        GET_VALUES_RESULT,
        0,
        pairs({ FCGI_MPXS_CONNS: "1", FCGI_MAX_REQS: "3" }),
      );
    case 7:
      return record(STDOUT, id, `X: ${"y".repeat(whole(random, 0, 300))}\r\n`);
    case 8:
      return record(whole(random, 0, 255), id, randomBytes(random, 8));
    default:
      return randomBytes(random, whole(random, 0, 30));
  }
}

/** Bytes in pieces, cut anywhere. */
function cut(random: Random, bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const next = Math.min(bytes.length, at + whole(random, 1, 60));
    pieces.push(bytes.subarray(at, next));
    at = next;
  }
  return pieces;
}

for (const isShared of [false, true]) {
  Deno.test(
    `FastCGIClient ends every request in front of a server that sends anything${
      isShared ? ", and is asked several at once" : ""
    }`,
    async () => {
      const random = seeded(isShared ? 1996 : 2009);
      let good = 0;
      let bad = 0;
      for (let round = 0; round < 300; round++) {
        const transports: Bytes[] = [];
        const client = new FastCGIClient({
          connect: () => {
            const content = Array.from(
              { length: whole(random, 1, 12) },
              () => anyRecord(random),
            );
            const transport = new Bytes(cut(random, concatLarge(content)));
            transports.push(transport);
            return Promise.resolve(transport);
          },
        }, {
          maxHeaderBytes: 200,
          maxStderrBytes: 300,
          multiplex: isShared,
          onStderr() {},
        });
        const asked = Array.from({ length: isShared ? 3 : 1 }, async (_, i) => {
          try {
            const method = whole(random, 0, 3) === 0 ? "HEAD" : "GET";
            const request = new Request(`http://test/${i}`, { method });
            const response = await client.fetch(request);
            await response.bytes();
            good++;
          } catch (error) {
            bad++;
            if (!(error instanceof FastCgiError)) throw error;
          }
        });
        await within(Promise.all(asked), `round ${round}`);
        client.close();
        assertEquals(client.stats().requests, 0);
        // FCGI_ABORT_REQUEST leaves before a connection closes.
        await turn();
        assert(transports.every(({ isClosed }) => isClosed), `round ${round}`);
      }
      assert(good > 10 && bad > 50, `${good} answers, ${bad} errors`);
    },
  );
}
