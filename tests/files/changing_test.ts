// Files that change while they are sent: what is made of two states never
// passes for whole.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { SendFileOptions } from "../../mod.ts";
import { Running } from "../support/running.ts";
import { concatLarge, END, request, STDERR, STDOUT } from "../support/wire.ts";
import { Files, LONG_AGO } from "./folder.ts";

/** More than sockets hold, so that it cannot have been read to its end. */
const LARGE = 32 * 1024 * 1024;

/** What came of a file that is changed as soon as its first bytes are here. */
async function sendChanging(
  change: (path: string) => void,
  send?: SendFileOptions,
  params: Record<string, string> = {},
) {
  using files = new Files();
  const path = files.write("large.bin", "");
  Deno.truncateSync(path, LARGE);
  Deno.utimeSync(path, LONG_AGO, LONG_AGO);
  await using running = new Running(
    (_, response) => response.sendFile(path, send),
    { unix: true },
  );
  using peer = await running.connect();
  await peer.send(request({ params }));
  await peer.until(({ type }) => type === STDOUT);
  change(path);
  // To the end of the request, or of the connection.
  while (
    !peer.records.some(({ type }) => type === END) && await peer.read()
  );
  const records = peer.take();
  const of = (type: number) =>
    concatLarge(
      records.filter((record) => record.type === type)
        .map(({ content }) => content),
    );
  const stdout = of(STDOUT);
  const head = new TextDecoder("latin1").decode(stdout.subarray(0, 1000))
    .split("\r\n\r\n")[0]!;
  return {
    head,
    length: stdout.length - head.length - 4,
    isWhole: records.some(({ type }) => type === END),
    log: new TextDecoder().decode(of(STDERR)) + running.logged.join("\n"),
    open: files.open,
  };
}

const CHANGES: [how: string, change: (path: string) => void][] = [
  ["shrinks", (path) => Deno.truncateSync(path, LARGE / 2)],
  ["becomes empty", (path) => Deno.truncateSync(path, 0)],
  ["grows", (path) => Deno.writeTextFileSync(path, "x", { append: true })],
  ["is written over", (path) => {
    using file = Deno.openSync(path, { write: true });
    file.writeSync(new Uint8Array([1]));
  }],
];

for (const [how, change] of CHANGES) {
  Deno.test(`a file that ${how} while it is sent does not look whole`, async () => {
    for (const params of [{}, { HTTP_RANGE: "bytes=10-" }]) {
      const sent = await sendChanging(change, {}, params);
      assertEquals(sent.isWhole, false);
      const promised = Number(/Content-Length: (\d+)/.exec(sent.head)![1]);
      assert(sent.length < promised, `${sent.length} of ${promised} bytes`);
      assertStringIncludes(sent.log, "it changed meanwhile");
      assertEquals(sent.open, []);
    }
  });
}

Deno.test("parts of a file that changes while they are sent do not look whole", async () => {
  const half = LARGE / 2;
  const sent = await sendChanging(
    (path) => Deno.utimeSync(path, new Date(), new Date()),
    {},
    { HTTP_RANGE: `bytes=0-${half - 1},${half + 1}-` },
  );
  assertEquals(sent.isWhole, false);
  const promised = Number(/Content-Length: (\d+)/.exec(sent.head)![1]);
  assert(sent.length < promised, `${sent.length} of ${promised} bytes`);
});

Deno.test("mayGrow has what was in the file sent whole, and no more", async () => {
  const grow = CHANGES.find(([how]) => how === "grows")![1];
  const sent = await sendChanging(grow, { mayGrow: true });
  assertEquals([sent.isWhole, sent.length], [true, LARGE]);
  assertEquals(sent.log, "");
});

Deno.test("mayGrow does not have a file that shrinks look whole", async () => {
  const shrink = CHANGES.find(([how]) => how === "shrinks")![1];
  const sent = await sendChanging(shrink, { mayGrow: true });
  assertEquals(sent.isWhole, false);
});

Deno.test("a file that is replaced while it is sent is sent as it was", async () => {
  const sent = await sendChanging((path) => {
    Deno.writeTextFileSync(`${path}.new`, "another");
    Deno.renameSync(`${path}.new`, path);
  });
  assertEquals([sent.isWhole, sent.length, sent.log], [true, LARGE, ""]);
});

Deno.test("a file that is removed while it is sent is sent all the same", async () => {
  const sent = await sendChanging((path) => Deno.removeSync(path));
  assertEquals([sent.isWhole, sent.length], [true, LARGE]);
});
