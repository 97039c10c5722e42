// However sending a file ends, it is closed. Counted are the descriptors on a
// test's own folder: other tests of this process have files of their own.

import { assertEquals } from "@std/assert";
import { ask } from "../support/ask.ts";
import { within } from "../support/peer.ts";
import { gate, Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { ABORT, record, request, STDOUT } from "../support/wire.ts";
import { askFile, Files, LONG_AGO_TEXT } from "./folder.ts";

/** More than sockets hold. */
const LARGE = 64 * 1024 * 1024;

/** A file of nothing, of any length, which takes no place. */
function sparse(files: Files, length = LARGE): string {
  const path = files.write("large.bin", "");
  Deno.truncateSync(path, length);
  return path;
}

Deno.test("a file is closed once it is sent, or it is known that it is not", async () => {
  using files = new Files();
  const path = files.write("a.txt", "Hello");
  const empty = files.write("empty.txt", "");
  const large = sparse(files, 1_000_000);
  Deno.symlinkSync("/etc/passwd", `${files.path}/out`);
  const root = files.path;
  for (
    const [asked, params, send, status] of [
      [path, {}, {}, 200],
      [empty, {}, {}, 200],
      [large, {}, {}, 200],
      [path, { REQUEST_METHOD: "HEAD" }, {}, 200],
      [path, { HTTP_RANGE: "bytes=0-0,2-2" }, {}, 206],
      [path, { HTTP_RANGE: "bytes=9-" }, {}, 416],
      [path, { HTTP_IF_MODIFIED_SINCE: LONG_AGO_TEXT }, {}, 304],
      [path, { HTTP_IF_MATCH: '"x"' }, {}, 412],
      [path, {}, { contentType: "\0" }, 500],
      [files.path, {}, {}, 404],
      ["a.txt", {}, { root }, 200],
      ["out", {}, { root }, 404],
    ] as const
  ) {
    const answer = await askFile(asked, { params, send });
    assertEquals(answer.status, status);
    assertEquals(files.open, [], `${asked} ${JSON.stringify(params)}`);
  }
});

Deno.test("a file is closed where the service fails while it is opened or sent", async () => {
  using files = new Files();
  const path = sparse(files);
  const services: Service[] = [
    (_, response) => {
      response.sendFile(path);
      throw new Error("deliberate");
    },
    (_, response) => {
      response.sendFile(path);
      response.write("something else");
    },
  ];
  for (const service of services) {
    let sent: Promise<void> | null = null;
    const { status } = await ask((request, response) => {
      const send = response.sendFile.bind(response);
      response.sendFile = (...args) => sent = send(...args);
      return service(request, response);
    });
    assertEquals(status, 500);
    await within(sent!.catch(() => {}), "sendFile() to settle");
    assertEquals(files.open, []);
  }
});

/** A service that sends a large file, and what became of it. */
function sending(path: string) {
  const done = gate<unknown>();
  const service: Service = async (_, response) => {
    try {
      await response.sendFile(path);
      done.resolve(null);
    } catch (error) {
      done.resolve(error);
      throw error;
    }
  };
  return { service, done: done.promise };
}

Deno.test("a file is closed where the client goes away while it is sent", async () => {
  using files = new Files();
  const { service, done } = sending(sparse(files));
  await using running = new Running(service, { unix: true });
  {
    using peer = await running.connect();
    await peer.send(request());
    await peer.until(({ type }) => type === STDOUT);
    // The runtime has another descriptor of it while it reads.
    assertEquals([...new Set(files.open)], [`${files.path}/large.bin`]);
  }
  const error = await within(done, "sendFile() to fail");
  assertEquals((error as { code?: string }).code, "CLOSED");
  assertEquals(files.open, []);
  assertEquals(running.logged, []);
});

Deno.test("a file is closed where the request is aborted while it is sent", async () => {
  using files = new Files();
  const { service, done } = sending(sparse(files));
  await using running = new Running(service, { unix: true });
  using peer = await running.connect();
  await peer.send(request());
  await peer.until(({ type }) => type === STDOUT);
  await peer.send(record(ABORT, 1));
  // It is read once what is under way has been taken.
  const failed = within(done, "sendFile() to fail");
  await peer.answer();
  assertEquals((await failed as { code?: string }).code, "ABORTED");
  assertEquals(files.open, []);
  assertEquals(running.logged, []);
});

Deno.test("a file is closed where the client takes nothing of it for too long", async () => {
  using files = new Files();
  const { service, done } = sending(sparse(files));
  await using running = new Running(service, {
    unix: true,
    writeTimeoutMs: 50,
  });
  using peer = await running.connect();
  await peer.send(request());
  await within(done, "sendFile() to fail");
  assertEquals(files.open, []);
});

Deno.test("a file is closed where the server is forced to stop", async () => {
  using files = new Files();
  const { service, done } = sending(sparse(files));
  await using running = new Running(service, { unix: true });
  using peer = await running.connect();
  await peer.send(request());
  await peer.until(({ type }) => type === STDOUT);
  await running.server.abort();
  await within(done, "sendFile() to fail");
  assertEquals(files.open, []);
});

Deno.test("a client that takes nothing has no more than a few pieces read for it", async () => {
  using files = new Files();
  const path = sparse(files);
  await using running = new Running(
    (_, response) => response.sendFile(path),
    { unix: true, watched: true },
  );
  using peer = await running.connect();
  await peer.send(request());
  await running.goOn(200);
  const written = running.writes.reduce((sum, { length }) => sum + length, 0);
  assertEquals(written < 8 * 1024 * 1024, true, `${written} bytes`);
});
