// Uploads that are larger than what memory may hold, and than what the disk
// takes.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { within } from "../support/peer.ts";
import type { Program } from "../support/program.ts";
import { randomBytes, seeded } from "../support/random.ts";
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
import { file, Folder, MULTIPART, namesIn, parts } from "./asking.ts";
import { connect, start, upload } from "./programs.ts";

const MIB = 1 << 20;
/** As web browsers make them. */
const BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW";

/** The most that a process ever held in memory. */
function mostMemory({ pid }: Program): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

Deno.test({
  name: "form() takes an upload of 1 GB in memory that stays as it was",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folder = new Folder();
    await using program = start(["-A"], { env: { TMPDIR: folder.path } });
    assertEquals((await upload(program)).status, 200);
    const before = mostMemory(program);

    // Faster than any disk: what is not yet stored must be waited for.
    const piece = record(STDIN, 1, randomBytes(seeded(1), 62_500));
    const pieces = concatLarge(new Array(16).fill(piece));
    const count = 1_000_000_000 / 62_500 / 16;
    using peer = await connect(program);
    const params = {
      ...GET,
      REQUEST_METHOD: "POST",
      CONTENT_TYPE: `multipart/form-data; boundary=${BOUNDARY}`,
    };
    const sending = (async () => {
      await peer.send(begin(), stream(PARAMS, 1, pairs(params)));
      await peer.send(record(
        STDIN,
        1,
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n`,
      ));
      for (let i = 0; i < count; i++) await peer.send(pieces);
      await peer.send(stream(STDIN, 1, `\r\n--${BOUNDARY}--\r\n`));
    })();
    await within(sending, "1 GB to be taken", 120_000);
    const { status, text } = await peer.answer();
    assertEquals([status, JSON.parse(text).size], [200, 1_000_000_000]);
    const most = mostMemory(program);
    assert(most - before < 100 * MIB, `${before} bytes became ${most}`);
    await program.stop();
    assertEquals(namesIn(folder.path), []);
  },
});

Deno.test({
  name:
    "form() answers 500 for what the disk does not take, and leaves nothing",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folder = new Folder();
    const { path } = folder;
    await using limited = start(["-A"], {
      env: { TMPDIR: path },
      mostBlocks: 40_000,
    });
    using peer = await connect(limited);
    const content = new Uint8Array(40_000 * 512 + 1).fill(0x2d);
    const whole = concatLarge([
      parts(file("g", "small", "x"), file("f", "a", "")).subarray(0, -9),
      content,
      parts().subarray(-7),
    ]);
    const params = pairs({
      ...GET,
      REQUEST_METHOD: "POST",
      CONTENT_TYPE: MULTIPART,
      CONTENT_LENGTH: String(whole.length),
    });
    await peer.send(
      begin(),
      stream(PARAMS, 1, params),
      stream(STDIN, 1, whole),
    );
    const { status, stderr } = await peer.answer();
    assertEquals(status, 500);
    assertMatch(stderr, /Cannot store an upload in .*: File too large/);
    assertEquals(namesIn(path), []);
  },
});
