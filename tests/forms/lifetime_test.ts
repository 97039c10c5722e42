// Uploaded files are gone once their request has ended, however it ends, and
// stay where they were moved to.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { AbortedError, ClosedError, HttpError, LimitError } from "../../mod.ts";
import type { ServiceRequest, UploadedFile } from "../../mod.ts";
import { askOn } from "../support/ask.ts";
import { within } from "../support/peer.ts";
import type { Peer } from "../support/peer.ts";
import { gate, Running } from "../support/running.ts";
import type { RunningOptions, Service } from "../support/running.ts";
import {
  ABORT,
  record,
  request,
  STDIN,
  STDOUT,
  stream,
} from "../support/wire.ts";
import { file, Folder, MULTIPART, namesIn, parts } from "./asking.ts";

const BODY = parts(file("f", "a", "x".repeat(200_000)), file("g", "b", "y"));
const QUESTION = { body: BODY, params: { CONTENT_TYPE: MULTIPART } };
const WHOLE = request(QUESTION);
/** Up to the end of a record amid the body, and the rest. */
const HALVES = halves();

function halves(): [Uint8Array, Uint8Array] {
  const rest = stream(STDIN, 1, BODY.subarray(2 * 65_535));
  const at = WHOLE.length - rest.length;
  return [WHOLE.subarray(0, at), WHOLE.subarray(at)];
}

/** Waits until what is in a folder fits. */
async function until(
  { path }: Folder,
  fits: (names: string[]) => boolean,
  what: string,
): Promise<void> {
  using watcher = Deno.watchFs(path);
  const found = (async () => {
    if (fits(namesIn(path))) return;
    for await (const _ of watcher) if (fits(namesIn(path))) return;
  })();
  await within(found, what);
}

const isStored = (names: string[]) => names.length > 0;
const isEmpty = (names: string[]) => names.length === 0;

/** An application that stores uploads in a folder of its own. */
class Uploads implements AsyncDisposable {
  readonly folder = new Folder();
  readonly running: Running;
  /** What `form()` failed with. */
  readonly failed = gate<unknown>();
  /** Settles when the form was read. */
  readonly read = gate<UploadedFile>();

  constructor(
    service: (request: ServiceRequest, file: UploadedFile) => unknown,
    options: RunningOptions = {},
  ) {
    const uploads: Service = async (request) => {
      let file;
      try {
        const { files } = await request.form({ directory: this.folder.path });
        file = files.get("f")!;
      } catch (error) {
        this.failed.resolve(error);
        throw error;
      }
      this.read.resolve(file);
      await service(request, file);
    };
    this.running = new Running(uploads, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
    assertEquals(namesIn(this.folder.path), []);
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Settles when a request is given up. */
function givenUp({ signal }: ServiceRequest): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve())
  );
}

Deno.test("files are removed when the request was answered", async () => {
  await using uploads = new Uploads(() => {
    assertEquals(namesIn(uploads.folder.path).length, 2);
  });
  using peer = await uploads.running.connect();
  assertEquals((await askOn(peer, QUESTION)).status, 200);
  await until(uploads.folder, isEmpty, "the files to be removed");
  assertEquals(uploads.running.logged, []);
});

Deno.test("files are removed when the application throws", async () => {
  await using uploads = new Uploads(() => {
    throw new HttpError(409, "No");
  });
  using peer = await uploads.running.connect();
  assertEquals((await askOn(peer, QUESTION)).status, 409);
  await until(uploads.folder, isEmpty, "the files to be removed");
});

/** How a request may be given up, and the class of the error that tells. */
const WAYS: [
  name: string,
  giveUp: (peer: Peer, uploads: Uploads) => unknown,
  // deno-lint-ignore no-explicit-any
  error: new (...options: any[]) => Error,
  options: RunningOptions,
][] = [
  [
    "FCGI_ABORT_REQUEST",
    (peer) => peer.send(record(ABORT, 1)),
    AbortedError,
    {},
  ],
  ["the loss of a connection", (peer) => peer.close(), ClosedError, {
    unix: true,
  }],
  ["requestTimeoutMs", () => {}, LimitError, { requestTimeoutMs: 3_000 }],
  [
    "a forced stop",
    (_, { running }) => running.server.abort(),
    AbortedError,
    {},
  ],
  [
    "a stop that waits in vain",
    (_, { running }) => running.server.shutdown(),
    AbortedError,
    { shutdownTimeoutMs: 100 },
  ],
];

for (const [name, giveUp, error, options] of WAYS) {
  Deno.test(`files are removed after ${name} amid the upload`, async () => {
    await using uploads = new Uploads(() => {}, options);
    using peer = await uploads.running.connect();
    await peer.send(HALVES[0]);
    await until(uploads.folder, isStored, "a file to be stored");
    await giveUp(peer, uploads);
    const failed = await within(uploads.failed.promise, "form() to fail");
    assert(failed instanceof error, String(failed));
    await until(uploads.folder, isEmpty, "the files to be removed");
  });

  Deno.test(`files are removed after ${name} while the application runs`, async () => {
    const left = gate();
    await using uploads = new Uploads(async (request) => {
      await givenUp(request);
      // Longer than the request: its files are gone all the same.
      await left.promise;
    }, options);
    using peer = await uploads.running.connect();
    await peer.send(WHOLE);
    const file = await within(uploads.read.promise, "the form");
    await giveUp(peer, uploads);
    await until(uploads.folder, isEmpty, "the files to be removed");
    const target = `${uploads.folder.path}/kept`;
    await assertRejects(() => file.move(target), error);
    await assertRejects(() => file.stream().getReader().read(), error);
    left.resolve();
  });
}

Deno.test("files are removed after bodyTimeoutMs", async () => {
  await using uploads = new Uploads(() => {}, { bodyTimeoutMs: 300 });
  using peer = await uploads.running.connect();
  await peer.send(HALVES[0]);
  await peer.until(({ type }) => type === STDOUT, "the answer");
  assertEquals(namesIn(uploads.folder.path), []);
  await peer.send(HALVES[1]);
  assertEquals((await peer.answer()).status, 408);
});

Deno.test("files are removed before a graceful stop is over", async () => {
  await using uploads = new Uploads(() => going.promise);
  const going = gate();
  using peer = await uploads.running.connect();
  await peer.send(WHOLE);
  await within(uploads.read.promise, "the form");
  const stopped = uploads.running.server.shutdown();
  assertEquals(namesIn(uploads.folder.path).length, 2);
  going.resolve();
  assertEquals((await peer.answer()).status, 200);
  peer.close();
  await within(stopped, "the stop");
  assertEquals(namesIn(uploads.folder.path), []);
});

Deno.test("a stop of one server waits for no request of another", async () => {
  await using uploads = new Uploads(() => going.promise);
  const going = gate();
  using peer = await uploads.running.connect();
  await peer.send(WHOLE);
  await within(uploads.read.promise, "the form");
  const other = uploads.running.app.listen({ hostname: "127.0.0.1", port: 0 });
  await within(other.shutdown(), "the other server to stop");
  assertEquals(uploads.running.logged, []);
  going.resolve();
  assertEquals((await peer.answer()).status, 200);
});

Deno.test("files of a form that nobody awaits are removed", async () => {
  await using folder = new Folder();
  await using running = new Running(async (request, response) => {
    request.form({ directory: folder.path });
    await until(folder, isStored, "a file to be stored");
    response.write("answered");
  });
  using peer = await running.connect();
  await peer.send(HALVES[0]);
  await until(folder, isStored, "a file to be stored");
  await peer.send(HALVES[1]);
  assertEquals((await peer.answer()).text, "answered");
  await until(folder, isEmpty, "the files to be removed");
});

Deno.test("files that are being read when the request ends are closed", async () => {
  const chunks: number[] = [];
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  await using uploads = new Uploads(async (_, file) => {
    reader = file.stream().getReader();
    chunks.push((await reader.read()).value!.length);
  });
  using peer = await uploads.running.connect();
  await askOn(peer, QUESTION);
  await until(uploads.folder, isEmpty, "the files to be removed");
  assertEquals(chunks, [65_536]);
  await assertRejects(
    () => reader!.read(),
    TypeError,
    "Cannot use an uploaded file: its request has ended",
  );
});

Deno.test("files can be read many times, in part and at once", async () => {
  await using uploads = new Uploads(async (_, file) => {
    await file.stream().cancel();
    const reader = file.stream().getReader();
    await reader.read();
    await reader.cancel();
    const texts = [file.stream(), file.stream(), file.stream()].map((stream) =>
      new Response(stream).text()
    );
    for (const text of await Promise.all(texts)) {
      assertEquals(text, "x".repeat(200_000));
    }
  });
  using peer = await uploads.running.connect();
  assertEquals((await askOn(peer, QUESTION)).status, 200);
});

Deno.test("files that the application takes away itself are no trouble", async () => {
  await using other = new Folder();
  await using uploads = new Uploads(async (_, file) => {
    await Deno.rename(file.path, `${other.path}/taken`);
  });
  using peer = await uploads.running.connect();
  assertEquals((await askOn(peer, QUESTION)).status, 200);
  await until(uploads.folder, isEmpty, "the files to be removed");
  assertEquals(namesIn(other.path), ["taken"]);
  assertEquals(uploads.running.logged, []);
});

Deno.test("files that cannot be removed are told in the log", async () => {
  await using uploads = new Uploads(async (_, file) => {
    await Deno.remove(file.path);
    await Deno.mkdir(`${file.path}/full`, { recursive: true });
  });
  using peer = await uploads.running.connect();
  assertEquals((await askOn(peer, QUESTION)).status, 200);
  peer.close();
  await within(uploads.running.server.shutdown(), "the stop");
  const [left] = namesIn(uploads.folder.path);
  const [line] = uploads.running.logged;
  assert(
    line?.includes(
      `Cannot remove the temporary file ${uploads.folder.path}/${left}: `,
    ),
    line,
  );
  await Deno.remove(`${uploads.folder.path}/${left}`, { recursive: true });
});
