// The parameters of requests that go on when the buffer they came in is used
// again: what the scan has found must be looked for where they are by then.

import { assertEquals } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import { concatLarge, request } from "../support/wire.ts";

Deno.test("what every request is asked for stays where its parameters go", async () => {
  const late = gate();
  await using running = new Running(async (request, response) => {
    await late.promise;
    response.write([
      request.method,
      request.url.href,
      request.param("REQUEST_URI"),
      request.param("REQUEST_SCHEME") ?? "none",
      request.param("HTTPS") ?? "none",
      request.param("HTTP_HOST"),
    ].join(" "));
  });
  using peer = await running.connect();
  // The parameters of the last do not fit into a buffer that is lent.
  const paths = ["/a", "/b?c", `/${"d".repeat(5000)}`];
  await peer.send(concatLarge(paths.map((path, i) =>
    request({
      id: i + 1,
      params: {
        REQUEST_METHOD: `M${i}`,
        HTTP_HOST: `host${i}.test`,
        REQUEST_URI: path,
        ...(i === 0 ? {} : { HTTPS: "on", REQUEST_SCHEME: "https" }),
      },
    })
  )));
  late.resolve();
  for (const [i, path] of paths.entries()) {
    const host = `host${i}.test`;
    const [scheme, https] = i === 0 ? ["none", "none"] : ["https", "on"];
    const url = `${i === 0 ? "http" : "https"}://${host}${path}`;
    assertEquals(
      (await peer.answer(i + 1)).text,
      `M${i} ${url} ${path} ${scheme} ${https} ${host}`,
    );
  }
});
