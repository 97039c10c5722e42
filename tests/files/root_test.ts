// The option root: what leads out of it, in any way, is not there.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { HttpError } from "../../mod.ts";
import { OpenedFile } from "../../src/files/opened_file.ts";
import { Program } from "../support/program.ts";
import { askFile, Files } from "./folder.ts";

const SECRET = "the secret";

/** A root with files in it, and secrets around it. */
function makeRoot(): { files: Files; root: string } & Disposable {
  const files = new Files();
  files.write("secret.txt", SECRET);
  files.write("root-2/secret.txt", SECRET);
  files.write("root/a.txt", "in the root");
  files.write("root/sub/b c.txt", "below it");
  files.write("root/%2e%2e/d.txt", "a funny name");
  files.write("root/.env", SECRET);
  files.write("root/.git/config", SECRET);
  files.write("root/.well-known/x.txt", "well known");
  return {
    files,
    root: `${files.path}/root`,
    [Symbol.dispose]: () => files[Symbol.dispose](),
  };
}

Deno.test("root has the files below it sent", async () => {
  using made = makeRoot();
  const { root } = made;
  for (
    const [path, text] of [
      ["a.txt", "in the root"],
      ["/a.txt", "in the root"],
      ["//a.txt", "in the root"],
      ["./a.txt", "in the root"],
      ["sub/b c.txt", "below it"],
      ["sub/./b c.txt", "below it"],
      ["%2e%2e/d.txt", "a funny name"],
      [".well-known/x.txt", "well known"],
    ] as const
  ) {
    const answer = await askFile(path, { send: { root } });
    assertEquals([answer.status, answer.text], [200, text], path);
  }
});

Deno.test("root may be a relative path, a URL, or a link, with a slash at its end or not", async () => {
  using made = makeRoot();
  const { files, root } = made;
  await Deno.symlink(root, `${files.path}/link`);
  for (
    const given of [
      `${root}/`,
      `${root}//`,
      new URL(`file://${root}`),
      new URL(`file://${root}/`),
      `${files.path}/link`,
      `${root}/sub/..`,
    ]
  ) {
    const { status, text } = await askFile("a.txt", { send: { root: given } });
    assertEquals([status, text], [200, "in the root"], String(given));
  }
  const { status } = await askFile("deno.json", { send: { root: "." } });
  assertEquals(status, 200);
  const top = await askFile(`${root}/a.txt`, { send: { root: "/" } });
  assertEquals(top.text, "in the root");
});

Deno.test("root takes the path of a URL, decoded", async () => {
  using made = makeRoot();
  const { root } = made;
  for (
    const [url, status] of [
      ["http://test/a.txt?a=b#c", 200],
      ["http://test/sub/b%20c.txt", 200],
      ["http://test/sub/../a.txt", 200],
      ["http://test/%252e%252e/d.txt", 200],
      ["http://test/../../secret.txt", 404],
      ["http://test/sub/%2e%2e/%2e%2e/secret.txt", 404],
      ["http://test/..%2fsecret.txt", 404],
      ["http://test/sub%2fb%20c.txt", 404],
      ["http://test/..%5csecret.txt", 404],
      ["http://test/a.txt%00", 404],
      ["http://test/%ff", 404],
      ["http://test/%", 404],
      ["http://test/", 404],
      ["http://test/sub/", 404],
      ["http://test//", 404],
    ] as const
  ) {
    const answer = await askFile(new URL(url), { send: { root } });
    assertEquals(answer.status, status, url);
    assertEquals(answer.stderr, "");
  }
});

Deno.test("nothing leads out of the root by its name", async () => {
  using made = makeRoot();
  const { files, root } = made;
  for (
    const path of [
      "..",
      "../secret.txt",
      "sub/../../secret.txt",
      "sub/../a.txt",
      "/../secret.txt",
      "..\\secret.txt",
      "sub\\..\\..\\secret.txt",
      "sub\\b c.txt",
      "....//secret.txt",
      "../root-2/secret.txt",
      "..%2fsecret.txt",
      "%2e%2e/secret.txt",
      `${files.path}/secret.txt`,
      "/etc/passwd",
      "a.txt\0",
      "../secret.txt\0a.txt",
      "a.txt/",
      "a.txt/.",
      "",
      "/",
      ".",
      "sub",
      "~/a.txt",
      "file:///etc/passwd",
    ]
  ) {
    const { status, text, stderr } = await askFile(path, { send: { root } });
    assertEquals([status, stderr], [404, ""], path);
    assertEquals(text.includes(SECRET), false);
    assertEquals(text.includes(files.path), false, "the path is told");
  }
});

Deno.test("names that begin with a dot are not there, unless dotFiles says so", async () => {
  using made = makeRoot();
  const { root } = made;
  for (const path of [".env", ".git/config", "sub/.x", ".well-known/.env"]) {
    assertEquals((await askFile(path, { send: { root } })).status, 404, path);
  }
  const send = { root, dotFiles: true };
  assertEquals((await askFile(".env", { send })).text, SECRET);
  assertEquals((await askFile("../secret.txt", { send })).status, 404);
  assertEquals((await askFile("..", { send })).status, 404);
});

Deno.test("links may lead anywhere in the root, and not out of it", async () => {
  using made = makeRoot();
  const { files, root } = made;
  const link = (target: string, name: string) =>
    Deno.symlinkSync(target, `${root}/${name}`);
  link("a.txt", "inside.txt");
  link(`${root}/sub`, "inside");
  link("sub/../../root/a.txt", "round.txt");
  link("../secret.txt", "outside.txt");
  link("/etc/passwd", "passwd.txt");
  link(files.path, "outside");
  link("..", "up");
  link("../root-2", "beside");
  link("outside", "twice");
  link("loop", "loop");
  link("nowhere", "dangling");
  link("/dev/zero", "zero");
  link("/proc/self/environ", "environ");
  for (
    const [path, status] of [
      ["inside.txt", 200],
      ["inside/b c.txt", 200],
      ["round.txt", 200],
      ["up/root/a.txt", 200],
      ["outside.txt", 404],
      ["passwd.txt", 404],
      ["outside/secret.txt", 404],
      ["up/secret.txt", 404],
      ["beside/secret.txt", 404],
      ["twice/secret.txt", 404],
      ["up/root-2/secret.txt", 404],
      ["loop", 404],
      ["dangling", 404],
      ["zero", 404],
      ["environ", 404],
    ] as const
  ) {
    const answer = await askFile(path, { send: { root } });
    assertEquals([answer.status, answer.stderr], [status, ""], path);
    assertEquals(answer.text.includes(SECRET), false);
  }
  // Without a root it is the program that names the file.
  assertEquals((await askFile(`${root}/outside.txt`)).text, SECRET);
});

Deno.test("what is no regular file is not there, and nothing waits for it", async () => {
  using made = makeRoot();
  const { root } = made;
  const fifo = await new Deno.Command("mkfifo", { args: [`${root}/fifo`] })
    .output();
  assertEquals(fifo.success, true);
  using _socket = Deno.listen({ transport: "unix", path: `${root}/socket` });
  for (const path of ["fifo", "socket", "sub"]) {
    for (const send of [{ root }, undefined]) {
      const asked = send === undefined ? `${root}/${path}` : path;
      const { status, stderr } = await askFile(
        asked,
        send === undefined ? {} : { send },
      );
      assertEquals([status, stderr], [404, ""], path);
    }
  }
  for (const path of ["/dev/null", "/dev/zero", "/dev/tty", "/dev"]) {
    assertEquals((await askFile(path)).status, 404, path);
  }
});

Deno.test({
  name: "a file that may not be read is answered with 403" +
    (Deno.uid() === 0 ? " (not run: root may read everything)" : ""),
  ignore: Deno.uid() === 0,
  fn: async () => {
    using made = makeRoot();
    const { root } = made;
    await Deno.chmod(`${root}/a.txt`, 0);
    const { status, text } = await askFile("a.txt", { send: { root } });
    assertEquals(status, 403);
    assertStringIncludes(text, "may not be read");
  },
});

/** Makes a name now a directory, now a link, as fast as it goes. */
const SWAP = `
const [directory, link] = Deno.args;
const aside = directory + ".aside";
console.log("swapping");
for (;;) {
  Deno.renameSync(directory, aside);
  Deno.renameSync(link, directory);
  Deno.renameSync(directory, link);
  Deno.renameSync(aside, directory);
}
`;

Deno.test("nothing is had from outside by swapping directories for links", async () => {
  using files = new Files();
  const inside = files.write("root/changing/a.txt", "in");
  files.write("outside/a.txt", SECRET);
  const root = `${files.path}/root`;
  Deno.symlinkSync(`${files.path}/outside`, `${root}/link`);
  await using swapper = new Program(Deno.execPath(), {
    args: ["eval", SWAP, `${root}/changing`, `${root}/link`],
  });
  await swapper.until(/swapping/);
  const found = { inside: 0, outside: 0, nothing: 0 };
  for (let i = 0; i < 2000; i++) {
    try {
      const file = await OpenedFile.open(inside, root);
      if (file.size === SECRET.length) found.outside++;
      else found.inside++;
      file.close();
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      found.nothing++;
    }
  }
  assertEquals(found.outside, 0, JSON.stringify(found));
  assertEquals(files.open, []);
});
