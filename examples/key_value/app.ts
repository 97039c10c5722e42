// A store of keys and values over HTTP: PUT /name keeps the body, GET gives it
// back, DELETE forgets it, GET / lists the keys. It is kept by Deno KV in a
// file, STORE, that any number of workers and processes share. Start it with:
//
//   STORE=/tmp/values deno run --allow-net --allow-env --allow-run --allow-read \
//     --allow-write --unstable-kv examples/key_value/app.ts --workers 2

import { Application, HttpError } from "@smisk/smisk";

/** Deno KV keeps at most 64 KiB a value. */
const MOST_BYTES = 60 * 1024;

class KeyValueStore extends Application {
  #kv!: Deno.Kv;

  constructor() {
    super({ maxBodyBytes: MOST_BYTES });
  }

  override async applicationWillStart() {
    const store = Deno.env.get("STORE");
    if (store === undefined) throw new Error("Set STORE to the path of a file");
    this.#kv = await Deno.openKv(store);
  }

  override applicationDidStop() {
    this.#kv.close();
  }

  override async service() {
    const { request, response } = this;
    const key = ["values", decode(request.url.pathname.slice(1))];
    response.headers.set("content-type", "text/plain; charset=utf-8");
    switch (request.method) {
      case "GET":
      case "HEAD":
        return key[1] === "" ? await this.#list() : await this.#give(key);
      case "PUT": {
        if (key[1] === "") throw new HttpError(400, "A value needs a name");
        const bytes = await request.bytes();
        const { value: before } = await this.#kv.get(key);
        await this.#kv.set(key, bytes);
        response.status = before === null ? 201 : 204;
        return;
      }
      case "DELETE":
        await this.#kv.delete(key);
        response.status = 204;
        return;
      default:
        response.headers.set("allow", "GET, HEAD, PUT, DELETE");
        throw new HttpError(405, `There is no ${request.method} here`);
    }
  }

  async #give(key: string[]) {
    const { value } = await this.#kv.get<Uint8Array>(key);
    if (value === null) throw new HttpError(404, `There is no "${key[1]}"`);
    this.response.headers.set("content-type", "application/octet-stream");
    await this.response.write(value);
  }

  async #list() {
    for await (const { key } of this.#kv.list({ prefix: ["values"] })) {
      await this.response.write(`${encodeURIComponent(String(key[1]))}\n`);
    }
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HttpError(400, `"${text}" is not escaped as a URL is`);
  }
}

await new KeyValueStore().run();
