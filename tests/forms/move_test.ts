// move(): what is kept of an upload, where and how.

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { UploadedFile } from "../../mod.ts";
import { ask } from "../support/ask.ts";
import { within } from "../support/peer.ts";
import { Running } from "../support/running.ts";
import { request } from "../support/wire.ts";
import { file, Folder, MULTIPART, namesIn, parts } from "./asking.ts";

const CONTENT = "x".repeat(100_000);
const QUESTION = {
  body: parts(file("f", "../../name", CONTENT)),
  params: { CONTENT_TYPE: MULTIPART },
};

/** Uploads a file, for a service that has a folder for it and another. */
async function uploaded(
  service: (file: UploadedFile, to: string) => unknown,
  target?: string,
): Promise<void> {
  await using folder = new Folder();
  const to = await Deno.makeTempDir(
    target === undefined ? {} : { dir: target },
  );
  try {
    let fault: unknown = null;
    const { status } = await ask(async (request) => {
      const { files } = await request.form({ directory: folder.path });
      try {
        await service(files.get("f")!, to);
      } catch (error) {
        fault = error;
      }
    }, QUESTION);
    if (fault !== null) throw fault;
    assertEquals(status, 200);
    assertEquals(namesIn(folder.path), []);
  } finally {
    await Deno.remove(to, { recursive: true });
  }
}

/** Checks what was kept. */
async function assertKept(path: string): Promise<void> {
  const { mode, size } = await Deno.stat(path);
  assertEquals([mode! & 0o777, size], [0o600, CONTENT.length]);
  assertEquals(await Deno.readTextFile(path), CONTENT);
}

/** Another file system, null where there is none. */
const OTHER_FILE_SYSTEM: string | null = (() => {
  const path = "/dev/shm";
  try {
    const folder = Deno.makeTempDirSync();
    const { dev } = Deno.statSync(folder);
    Deno.removeSync(folder);
    Deno.removeSync(Deno.makeTempFileSync({ dir: path }));
    return Deno.statSync(path).dev === dev ? null : path;
  } catch {
    return null;
  }
})();

const PLACES: [name: string, target: string | undefined, ignore: boolean][] = [
  ["on its file system", undefined, false],
  [
    OTHER_FILE_SYSTEM === null
      ? "to another file system (not run: /dev/shm is none)"
      : "to another file system",
    OTHER_FILE_SYSTEM ?? undefined,
    OTHER_FILE_SYSTEM === null,
  ],
];

for (const [name, target, ignore] of PLACES) {
  Deno.test({
    name: `move() ${name} keeps the file, whole and for nobody else to read`,
    ignore,
    async fn() {
      await uploaded(async (file, to) => {
        const { path } = file;
        await file.move(`${to}/kept`);
        assertEquals(file.path, `${to}/kept`);
        await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
        await assertKept(`${to}/kept`);
        assertEquals(await new Response(file.stream()).text(), CONTENT);
        assertEquals(namesIn(to), ["kept"]);
      }, target);
    },
  });

  Deno.test({
    name: `move() ${name} replaces what is there`,
    ignore,
    async fn() {
      await uploaded(async (file, to) => {
        await Deno.writeTextFile(`${to}/kept`, "before", { mode: 0o644 });
        await file.move(`${to}/kept`);
        await assertKept(`${to}/kept`);
        assertEquals(namesIn(to), ["kept"]);
      }, target);
    },
  });

  Deno.test({
    name: `move() ${name} that fails leaves the file, and nothing else`,
    ignore,
    async fn() {
      await uploaded(async (file, to) => {
        const { path } = file;
        await assertRejects(
          () => file.move(`${to}/none/kept`),
          Deno.errors.NotFound,
        );
        await Deno.mkdir(`${to}/folder/full`, { recursive: true });
        await assertRejects(() => file.move(`${to}/folder`), Error);
        assertEquals(file.path, path);
        assertEquals(namesIn(to), ["folder"]);
        await assertKept(path);
        await file.move(`${to}/kept`);
        await assertKept(`${to}/kept`);
      }, target);
    },
  });

  Deno.test({
    name: `move() ${name} that is under way when the request ends is finished`,
    ignore,
    async fn() {
      await using folder = new Folder();
      const to = await Deno.makeTempDir(
        target === undefined ? {} : { dir: target },
      );
      try {
        await using running = new Running(async (request) => {
          const { files } = await request.form({ directory: folder.path });
          files.get("f")!.move(`${to}/kept`);
        });
        using peer = await running.connect();
        assertEquals((await peer.ask(request(QUESTION))).status, 200);
        peer.close();
        await within(running.server.shutdown(), "the stop");
        await assertKept(`${to}/kept`);
        assertEquals([namesIn(to), namesIn(folder.path)], [["kept"], []]);
      } finally {
        await Deno.remove(to, { recursive: true });
      }
    },
  });
}

Deno.test("move() takes a URL, and moves again", async () => {
  await uploaded(async (file, to) => {
    await file.move(new URL(`file://${to}/a%20b`));
    assertEquals(file.path, `${to}/a b`);
    await Promise.all(
      ["c", "d", "e"].map((name) => file.move(`${to}/${name}`)),
    );
    assertEquals([file.path, namesIn(to)], [`${to}/e`, ["e"]]);
    await assertKept(`${to}/e`);
    await assertRejects(() => file.move(new URL("http://test/")), TypeError);
  });
});

Deno.test("move() is refused once the request has ended", async () => {
  let file: UploadedFile | undefined;
  await using folder = new Folder();
  await ask(async (request) => {
    const form = await request.form({ directory: folder.path });
    file = form.files.get("f")!;
  }, QUESTION);
  assert(file !== undefined);
  await assertRejects(
    () => file!.move(`${folder.path}/kept`),
    TypeError,
    "Cannot use an uploaded file: its request has ended. Call move() before it does",
  );
  assertEquals(namesIn(folder.path), []);
});

Deno.test("form() says why where it cannot store, and leaves nothing", async () => {
  await using folder = new Folder();
  const { path } = folder;
  await Deno.writeTextFile(`${path}/file`, "");
  for (const directory of [`${path}/none`, `${path}/file`]) {
    let text = "";
    const { status, stderr } = await ask(async (request) => {
      await request.form({ directory });
    }, QUESTION);
    text = stderr;
    assertEquals(status, 500);
    assert(text.includes(`Cannot store an upload in ${directory}: `), text);
  }
  assertEquals(namesIn(path), ["file"]);
});
