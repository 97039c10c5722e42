// Forms behind real web servers, as clients and a web browser send them.

import { assertEquals, assertMatch } from "@std/assert";
import { afterAll, it } from "@std/testing/bdd";
import { Browser, CHROMIUM } from "../gateway/apps/browser.ts";
import { within } from "../support/peer.ts";
import { content, digest } from "./content.ts";
import { Folder } from "./folder.ts";
import type { Live } from "./live.ts";
import { nginx } from "./servers/nginx.ts";
import { SERVERS } from "./servers.ts";
import { urlOf } from "./site.ts";
import { liveOf, suiteWith } from "./suite.ts";

const MB = 1_000_000;
const MULTIPART = "multipart/form-data";

/** Where the program stores uploads, which must be empty in the end. */
function storeOf(live: () => Live): {
  path: string;
  post(body: BodyInit, headers?: HeadersInit): Promise<Response>;
} {
  const folder = new Folder();
  const path = `/form?directory=${folder.path}`;
  afterAll(async () => {
    assertEquals([...Deno.readDirSync(folder.path)], []);
    await folder[Symbol.asyncDispose]();
  });
  return {
    path,
    post: (body, headers = {}) =>
      live().ask(path, { method: "POST", body, headers }),
  };
}

for (const webServer of SERVERS) {
  // A program that is started by the web server has no permission to write.
  if (webServer.shown !== "connects") continue;
  suiteWith([webServer], `forms behind ${webServer.name}`, () => {
    const { post } = storeOf(liveOf(webServer));

    it("a file of 50 MB comes whole, with the fields beside it", async () => {
      const blocks = Array.from(content(50 * MB), (block) => block.slice());
      const form = new FormData();
      form.append("title", "Größe");
      form.append("file", new Blob(blocks, { type: "image/png" }), "日本.png");
      form.append("empty", new Blob([]), "empty.txt");
      form.append("title", "");
      const response = await post(form);
      assertEquals(response.status, 200);
      assertEquals(await response.json(), {
        fields: [["title", "Größe"], ["title", ""]],
        files: [
          {
            field: "file",
            name: "日本.png",
            type: "image/png",
            ...await digest(blocks),
          },
          {
            field: "empty",
            name: "empty.txt",
            type: "application/octet-stream",
            ...await digest([]),
          },
        ],
      });
    });

    it("an urlencoded form comes whole", async () => {
      const response = await post(
        new URLSearchParams([["a", "ä&="], ["b", "x".repeat(2 * MB)]]),
      );
      const { fields } = await response.json();
      assertEquals(fields, [["a", "ä&="], ["b", "x".repeat(2 * MB)]]);
    });

    it("what is too large, malformed or no form is answered", async () => {
      const form = new FormData();
      form.append("file", new Blob([new Uint8Array(61 * MB)]));
      const tooLarge = await post(form);
      assertEquals(tooLarge.status, 413);
      assertMatch(await tooLarge.text(), /maxUploadBytes/);
      const text = await post("text");
      assertEquals(text.status, 415);
      await text.body?.cancel();
      const malformed = await post("--b\r\n", {
        "content-type": `${MULTIPART}; boundary=b`,
      });
      assertEquals(malformed.status, 400);
      await malformed.body?.cancel();
    });
  });
}

suiteWith([nginx, CHROMIUM], `forms of a browser behind ${nginx.name}`, () => {
  const live = liveOf(nginx);
  const { path } = storeOf(live);

  it("names and charsets are understood", async () => {
    const names = ['a"b.txt', "c\\", "d;e=f", "%22.txt", "日本 €.txt", "\n"];
    await using chromium = await Browser.start();
    await using page = await chromium.open(urlOf(live().site, "/"));
    await page.until("document.body");
    /** Submits a form in the page; gives what it was answered. */
    const submit = (charset: string, type: string) =>
      within(
        page.evaluate(`new Promise((resolve) => {
            const form = document.createElement("form");
            Object.assign(form, {
              method: "post", action: ${JSON.stringify(path)},
              target: "answer", enctype: ${JSON.stringify(type)},
              acceptCharset: ${JSON.stringify(charset)},
            });
            const add = (name, type, value) => {
              const input = document.createElement("input");
              Object.assign(input, { name, type });
              if (type !== "file") input.value = value;
              else if (value) {
                const transfer = new DataTransfer();
                for (const name of value) {
                  transfer.items.add(
                    new File(["content"], name, { type: "text/x-a" }),
                  );
                }
                input.multiple = true;
                input.files = transfer.files;
              }
              form.append(input);
            };
            add('é "q"', "text", "ü €");
            add("_charset_", "hidden", "");
            add("files", "file", ${JSON.stringify(names)});
            add("none", "file", null);
            const frame = document.createElement("iframe");
            frame.name = "answer";
            document.body.append(frame, form);
            frame.onload = () => {
              resolve(frame.contentDocument.body.textContent);
              frame.remove();
              form.remove();
            };
            form.submit();
          })`),
        "the answer to a form",
      );

    const told = JSON.parse(`${await submit("utf-8", MULTIPART)}`);
    assertEquals(told.fields, [['é "q"', "ü €"], ["_charset_", "UTF-8"]]);
    const seen = told.files.map(({ name }: { name: string }) => name);
    assertEquals(seen, [
      'a"b.txt',
      "c\\",
      "d;e=f",
      // What looks like an escape cannot be told from one.
      '".txt',
      "日本 €.txt",
      "\n",
    ]);
    const [{ field, type, length }] = told.files;
    assertEquals([field, type, length], ["files", "text/x-a", 7]);

    for (const type of [MULTIPART, "application/x-www-form-urlencoded"]) {
      const other = JSON.parse(`${await submit("windows-1252", type)}`);
      assertEquals(other.fields.slice(0, 2), [
        ['é "q"', "ü €"],
        ["_charset_", "windows-1252"],
      ]);
    }
  });
});
