// Everything that is known of a request, with a form to try it. Start it with:
//
//   deno run --allow-net --allow-write=/tmp examples/input/app.ts
//
// It listens for FastCGI on 127.0.0.1:9000. Uploaded files lie in temporary
// files until the request ends: no permission but to write there is needed.

import { Application } from "@smisk/smisk";

const FORM = `<!doctype html>
<meta charset="utf-8">
<title>Input</title>
<form method="post" enctype="multipart/form-data">
  <p><label>Text <input name="text"></label>
  <p><label>Files <input name="files" type="file" multiple></label>
  <p><button>Send</button>
</form>
`;

class Input extends Application {
  override async service() {
    const { request, response } = this;
    await response.write(FORM);
    await response.write(table("Request", [
      ["method", request.method],
      ["url", request.url.href],
      ["remoteAddr", request.remoteAddr],
      ["referrer", request.referrer?.href ?? ""],
      ["role", request.role],
    ]));
    await response.write(table("Query", request.query));
    await response.write(table("Headers", request.headers));
    await response.write(table("Cookies", Object.entries(request.cookies)));
    if (request.method === "POST") await this.#writeForm();
    await response.write(table("Variables", Object.entries(request.env)));
  }

  async #writeForm() {
    const { fields, files } = await this.request.form();
    await this.response.write(table("Fields", fields));
    const rows = Array.from(files, ([field, { name, type, size }]) => {
      const text = `${name}, ${type || "of no type"}, ${size} bytes`;
      return [field, text] as const;
    });
    await this.response.write(table("Files", rows));
  }
}

/** Names and values, whatever they are, as a table. */
function table(
  title: string,
  rows: Iterable<readonly [name: string, value: string]>,
): string {
  const lines = Array.from(
    rows,
    ([name, value]) => `<tr><th>${escape(name)}<td>${escape(value)}\n`,
  );
  return `<h2>${title}</h2>\n<table>\n${lines.join("")}</table>\n`;
}

/** Text as HTML, which what a client sends must always be made. */
function escape(text: string): string {
  const escapes: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => escapes[character]!);
}

await new Input().run();
