// smisk get: what is sent, what is printed, and how it ends.

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Service } from "../support/running.ts";
import { Running } from "../support/running.ts";
import { answering } from "../support/answering.ts";
import { readRequest, Scripted } from "../support/scripted.ts";
import { concatLarge, end, record, STDERR, STDOUT } from "../support/wire.ts";
import { within } from "../support/peer.ts";
import { inFolder } from "../support/folder.ts";
import { ran } from "./smisk.ts";

/** Runs `smisk get` against a service. */
async function got(
  args: readonly string[],
  service: Service,
): ReturnType<typeof ran> {
  await using running = new Running(service);
  const { port } = running.server.addr as Deno.NetAddr;
  return await ran(["get", `127.0.0.1:${port}`, ...args]);
}

const echo: Service = async (request, response) => {
  response.headers.set("content-type", "text/plain");
  const { method, url, env } = request;
  const body = await request.text();
  const { HTTP_X_A, HTTP_X_B, OWN, REMOTE_ADDR, CONTENT_LENGTH } = env;
  response.write(
    JSON.stringify({
      method,
      url: url.href,
      uri: env.REQUEST_URI,
      role: request.role,
      body,
      HTTP_X_A,
      HTTP_X_B,
      OWN,
      REMOTE_ADDR,
      CONTENT_LENGTH,
    }),
  );
};

Deno.test("smisk get prints the body of an answer, and nothing else", async () => {
  const { code, errors, output } = await got(["/a/../b%20c?d=e&f"], echo);
  assertEquals([code, errors, output.length], [0, [], 1]);
  assertEquals(JSON.parse(output[0]!), {
    method: "GET",
    url: "http://localhost/b%20c?d=e&f",
    // As it was given.
    uri: "/a/../b%20c?d=e&f",
    role: "responder",
    body: "",
    REMOTE_ADDR: "127.0.0.1",
  });
});

Deno.test("smisk get sends method, headers, parameters, role and body", async () => {
  const { code, output } = await got([
    "https://to.test:81/x",
    "--method=PUT",
    "--header=X-A: 1",
    "--header",
    "X-B:2: 3",
    "--param=OWN=a=b",
    "--param=REMOTE_ADDR=192.0.2.9",
    "--data=h\u00e9llo",
  ], echo);
  assertEquals(code, 0);
  assertEquals(JSON.parse(output[0]!), {
    method: "PUT",
    url: "https://to.test:81/x",
    uri: "/x",
    role: "responder",
    body: "h\u00e9llo",
    HTTP_X_A: "1",
    HTTP_X_B: "2: 3",
    OWN: "a=b",
    REMOTE_ADDR: "192.0.2.9",
    CONTENT_LENGTH: "6",
  });
});

Deno.test("smisk get asks in the role of an Authorizer", async () => {
  const { code, output } = await got(
    ["/", "--role=authorizer"],
    (request, response) => {
      response.status = 200;
      response.write(request.role);
    },
  );
  assertEquals([code, output], [0, ["authorizer"]]);
});

Deno.test("smisk get sends the body out of a file, byte by byte", async () => {
  await inFolder(async (folder) => {
    const bytes = new Uint8Array(100_000).map((_, i) => i * 7);
    await Deno.writeFile(`${folder}/body`, bytes);
    let seen = new Uint8Array(0);
    const { code } = await got(
      ["/", "--body", `${folder}/body`],
      async (request) => {
        seen = await request.bytes();
      },
    );
    assertEquals([code, seen], [0, bytes]);
  });
});

Deno.test("smisk get sends the body out of its standard input, and prints bytes as they are", async () => {
  const bytes = new Uint8Array(200_000).map((_, i) => i * 13);
  await using running = new Running(async (request, response) => {
    await response.write(await request.bytes());
  });
  const { port } = running.server.addr as Deno.NetAddr;
  const cli = new URL("../../src/cli/cli.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ..."run --no-check -A".split(" "),
      cli,
      "get",
      `127.0.0.1:${port}`,
      "/",
      "--body=-",
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // Alongside, for it is more than a pipe holds.
  const writing = writer.write(bytes).then(() => writer.close());
  const { code, stdout } = await within(child.output(), "the command to end");
  await writing;
  assertEquals([code, stdout.length], [0, bytes.length]);
  assertEquals(stdout, bytes);
});

Deno.test("smisk get --include prints the header as it came", async () => {
  const { output } = await got(["/", "--include"], (_, response) => {
    response.headers.set("x-a", "b");
    response.write("body");
  });
  assertEquals(output, [
    "Content-Type: text/html; charset=utf-8\r",
    "X-A: b\r",
    "Content-Length: 4\r",
    "Status: 200 OK\r",
    "\r",
    "body",
  ]);
});

Deno.test("smisk get --verbose tells what is sent and how it ends, harmlessly", async () => {
  await using server = answering(
    [],
    concatLarge([
      record(STDOUT, 1, "X-A: b\u001b[2J\r\n\r\nhello"),
      record(STDERR, 1, "one\x1b[31m\ntwo"),
      record(STDOUT, 1),
      end(1, 3),
    ]),
  );
  const { code, errors, output } = await ran([
    "get",
    `127.0.0.1:${server.address.port}`,
    "/a",
    "--verbose",
  ]);
  // The header is refused: an escape is no part of one.
  assertEquals([code, output], [1, []]);
  assertMatch(errors.at(-1)!, /^smisk: .*header/);
  assert(errors.includes("> REQUEST_URI=/a"), errors.join("\n"));
  for (const line of errors) assertMatch(line, /^[ -~]*$/);
});

Deno.test("smisk get tells an application status, and exits with 4", async () => {
  await using server = answering(
    [],
    concatLarge([
      record(STDERR, 1, "one\x1b[31m\nt"),
      record(STDOUT, 1, "Content-Type: text/plain\r\n\r\nhello"),
      record(STDERR, 1, "wo"),
      record(STDOUT, 1),
      end(1, 3),
    ]),
  );
  const { code, errors, output } = await ran([
    "get",
    `127.0.0.1:${server.address.port}`,
    "/",
    "--verbose",
  ]);
  assertEquals([code, output], [4, ["hello"]]);
  const told = errors.filter((line) => !line.startsWith(">"));
  assertEquals(told.slice(0, -1), [
    "! one\\x1b[31m",
    "< Content-Type: text/plain",
    "! two",
  ]);
  assertMatch(
    told.at(-1)!,
    /^= FCGI_END_REQUEST: application status 3, FCGI_REQUEST_COMPLETE; 5 bytes of body, header after [\d.]+ ms, end after [\d.]+ ms$/,
  );
});

Deno.test("smisk get exits with 3 at a status of an error, whose body it prints", async () => {
  for (const status of [404, 500]) {
    const { code, errors, output } = await got(["/"], (_, response) => {
      response.status = status;
      response.write("no");
    });
    assertEquals([code, errors, output], [3, [], ["no"]]);
  }
});

Deno.test("smisk get prints the error stream on the error output", async () => {
  const { code, errors, output } = await got(["/"], (request, response) => {
    request.log("a line");
    response.write("hello");
  });
  assertEquals([code, errors, output], [0, ["a line"], ["hello"]]);
});

Deno.test("smisk get exits with 1 and one line where there is no whole answer", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const refused = await ran(["get", `127.0.0.1:${port}`, "/"]);
  assertEquals([refused.code, refused.output, refused.errors.length], [
    1,
    [],
    1,
  ]);
  assertMatch(refused.errors[0]!, /^smisk: Cannot connect to 127\.0\.0\.1:/);

  await using silent = new Scripted(async (peer) => {
    while (await peer.read());
  });
  const late = await ran([
    "get",
    `127.0.0.1:${silent.address.port}`,
    "/",
    "--timeout=100",
  ]);
  assertEquals([late.code, late.errors.length], [1, 1]);
  assertMatch(late.errors[0]!, /within the 100 milliseconds/);

  await using broken = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDOUT, 1, "Content-Type: text/plain\r\n\r\nhalf"));
    peer.close();
  });
  const half = await ran(["get", `127.0.0.1:${broken.address.port}`, "/"]);
  assertEquals([half.code, half.output, half.errors.length], [1, ["half"], 1]);
  assertMatch(half.errors[0]!, /^smisk: .*closed the connection/);

  await using bare = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(end(1, 0, 2));
    await peer.toEnd();
  });
  const refusal = await ran(["get", `127.0.0.1:${bare.address.port}`, "/"]);
  assertEquals(refusal.code, 1);
  assertMatch(refusal.errors[0]!, /FCGI_OVERLOADED/);
});

Deno.test("smisk get ends quietly when nobody reads any more", async () => {
  await using running = new Running(async (_, response) => {
    for (let i = 0; i < 100; i++) await response.write("x".repeat(100_000));
  });
  const { port } = running.server.addr as Deno.NetAddr;
  const cli = new URL("../../src/cli/cli.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ..."run --no-check -A".split(" "),
      cli,
      "get",
      `127.0.0.1:${port}`,
      "/",
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assertEquals((await within(reader.read(), "a piece")).done, false);
  await reader.cancel();
  const errors = new Response(child.stderr).text();
  const { code } = await within(child.status, "the command to end");
  assertEquals([code, await errors], [0, ""]);
});

Deno.test("smisk get asks a server that knows nothing but requests", async () => {
  await using server = answering();
  const { code, output } = await ran([
    "get",
    `127.0.0.1:${server.address.port}`,
    "/",
  ]);
  assertEquals([code, output], [0, ["hello"]]);
});
