// A stop of the program while web servers use it.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { it } from "@std/testing/bdd";
import { Folder } from "./folder.ts";
import { Held } from "./held.ts";
import { startApp } from "./program.ts";
import { nginx } from "./servers/nginx.ts";
import { get, startServer } from "./site.ts";
import { suiteWith } from "./suite.ts";

suiteWith([nginx], "A stop of the program behind nginx", () => {
  it("lets what is under way finish, and nothing breaks off", async () => {
    await using folder = new Folder();
    const socket = `${folder.path}/app.sock`;
    await using app = await startApp(socket);
    await using site = await startServer(nginx, folder.path, {
      addresses: [socket],
    });
    using held = await Held.begin(site, 8);

    // Until the stop, and past it, others come and go.
    let isStopped = false;
    const answered: number[] = [];
    const traffic = Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 100_000; i++) {
        const wasStopped = isStopped;
        const response = await get(site, "/");
        const text = await response.text();
        if (response.status === 200) assertEquals(text, "Hello World!");
        else {
          assert(isStopped, `status ${response.status} before the stop`);
          assertEquals(response.status, 502);
        }
        answered.push(response.status);
        if (wasStopped) return;
      }
      throw new Error("the stop never came");
    });
    await get(site, "/").then((response) => response.text());
    isStopped = true;
    app.signal("SIGTERM");

    await held.end();
    await Promise.all(traffic);
    assert(answered.includes(200), `answered ${answered}`);
    const status = await app.status;
    assertEquals([status.code, status.signal], [0, null]);
    await assertRejects(() => Deno.lstat(socket), Deno.errors.NotFound);
    const late = await get(site, "/");
    assertEquals(late.status, 502);
    await late.body?.cancel();
  });
});
