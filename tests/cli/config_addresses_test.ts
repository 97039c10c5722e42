// smisk config with the addresses and folders that are less common: each
// configuration is checked by the server it is for.

import { assertEquals } from "@std/assert";
import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { config } from "../../src/cli/config.ts";
import {
  Folder,
  freePorts,
  get,
  missing,
  startServer,
  suiteName,
} from "../live/site.ts";
import { check, Echo, printed, SERVERS } from "./printed.ts";

/** Whether this machine has an IPv6 address of its own. */
function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/** Servers that need a document root. */
const ROOTED = ["apache", "haproxy", "lighttpd"];

for (const server of SERVERS) {
  const { name } = server;
  const isThere = missing([printed(server, [])]).length === 0;
  const suite = isThere ? describe : describe.skip;

  suite(suiteName(server.command, `smisk config ${name}, checked`), () => {
    let folder: Folder;

    beforeAll(() => {
      folder = new Folder();
    });

    afterAll(async () => {
      await folder[Symbol.asyncDispose]();
    });

    (hasIpv6() ? it : it.skip)("serves a program on IPv6", async () => {
      const app = new Echo("six").listen({ hostname: "::1", port: 0 });
      const { port } = app.addr as Deno.NetAddr;
      try {
        await using site = await startServer(
          printed(server, [`--bind=[::1]:${port}`]),
          folder.path,
          {},
        );
        await check(server, folder.path);
        const response = await get(site, "/a");
        assertEquals(await response.text(), "six GET /a");
      } finally {
        await app.abort();
      }
    });

    it("has nothing against many addresses, ports, hosts and a path", async () => {
      const ports = freePorts(3);
      const text = config([
        name,
        `--bind=${folder.path}/a.sock`,
        ...name === "h2o" ? [] : ["--bind=:9001", "--bind=[::1]:9002"],
        `--listen=${ports[0]}`,
        `--listen=127.0.0.1:${ports[1]}`,
        ...hasIpv6() ? [`--listen=[::1]:${ports[2]}`] : [],
        "--host=a.example.org",
        "--host=B.example.org",
        "--mount=/app/v1.0~x",
        "--name=my-app_1",
      ]);
      await server.write(text, folder.path);
      await check(server, folder.path);
    });

    if (!ROOTED.includes(name)) return;

    it("takes a document root of the oddest name", async () => {
      // Apache and lighttpd cannot have it otherwise.
      const root = `${folder.path}/a b"c'd;e{f}g#i%l|m?n\`o\u00e9`;
      await Deno.mkdir(root, { recursive: true });
      await Deno.chmod(root, 0o755);
      const socket = `${folder.path}/root.sock`;
      const app = new Echo("rooted").listen({ path: socket, mode: 0o666 });
      try {
        await using site = await startServer(
          printed(server, ["--bind", socket, "--root", root]),
          folder.path,
          {},
        );
        await check(server, folder.path);
        const response = await get(site, "/a");
        assertEquals(await response.text(), "rooted GET /a");
      } finally {
        await app.abort();
      }
    });
  });
}
