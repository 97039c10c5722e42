// smisk get where something is wrong with who answers: one line says what, and
// the status tells it apart from an answer.

import { assertEquals, assertMatch } from "@std/assert";
import { inFolder } from "../support/folder.ts";
import { readRequest, Scripted } from "../support/scripted.ts";
import type { Script } from "../support/scripted.ts";
import { Running } from "../support/running.ts";
import {
  bytes,
  concatLarge,
  end,
  record,
  STDERR,
  STDOUT,
} from "../support/wire.ts";
import { ran } from "./smisk.ts";

const PLAIN = "Content-Type: text/plain\r\n\r\n";

/** Answers a request with bytes, and waits for the other end to close. */
function sending(...parts: Uint8Array[]): Script {
  return async (peer) => {
    await readRequest(peer);
    await peer.send(...parts);
    await peer.toEnd().catch(() => {});
  };
}

/** FCGI_STDOUT of one record, its end, and that of the request. */
function stdout(text: string): Uint8Array[] {
  return [record(STDOUT, 1, text), record(STDOUT, 1), end()];
}

const FAULTS: [
  name: string,
  script: Script,
  output: string[],
  why: RegExp,
][] = [
  [
    "speaks HTTP",
    sending(bytes("HTTP/1.1 400 Bad Request\r\n\r\n")),
    [],
    /broke the protocol: it speaks HTTP, and no FastCGI: smisk check 127\.0\.0\.1:\d+ tells more$/,
  ],
  [
    "speaks something else",
    sending(bytes("-ERR unknown command\r\n")),
    [],
    /broke the protocol: cannot read a record of FastCGI version 45: .* tells more$/,
  ],
  [
    "sends half an answer's header",
    sending(...stdout("Content-Type: text/pl")),
    [],
    /without a response header \(application status 0\)/,
  ],
  [
    "sends no header",
    sending(...stdout("just text")),
    [],
    /without a response header/,
  ],
  [
    "sends a status that is none",
    sending(...stdout("Status: abc\r\n\r\nx")),
    [],
    /header is malformed: the status "abc" is none of 200 to 599/,
  ],
  [
    "sends less than its Content-Length",
    sending(...stdout(`Content-Length: 9\r\n${PLAIN}abc`)),
    ["abc"],
    /sent a body of 3 bytes: its Content-Length says 9/,
  ],
  [
    "sends more than its Content-Length",
    sending(...stdout(`Content-Length: 1\r\n${PLAIN}abc`)),
    ["abc"],
    /sent a body of 3 bytes: its Content-Length says 1/,
  ],
  [
    "answers another request",
    sending(record(STDOUT, 9, `${PLAIN}x`)),
    [],
    /broke the protocol: it sent a record of request 9, which is not in flight/,
  ],
  [
    "ends with a record that is too short",
    sending(record(STDOUT, 1, `${PLAIN}abc`), record(3, 1, "x")),
    ["abc"],
    /its FCGI_END_REQUEST is not of eight bytes/,
  ],
  [
    "sends a header that a terminal would obey",
    sending(record(STDOUT, 1, bytes("\x1b[2J \x9b2J\r\n\r\n"))),
    [],
    /the line "\\u001b\[2J Â\\x9b2J" is no header/,
  ],
  [
    "closes amid a record",
    async (peer) => {
      await readRequest(peer);
      await peer.send(record(STDOUT, 1, `${PLAIN}abc`).subarray(0, 20));
      peer.close();
    },
    [],
    /closed the connection before .*: smisk check 127\.0\.0\.1:\d+ tells more$/,
  ],
  [
    "closes at once",
    (peer) => Promise.resolve(peer.close()),
    [],
    /closed the connection before the header of its response was complete/,
  ],
];

for (const [name, script, output, why] of FAULTS) {
  Deno.test(`smisk get exits with 1 and one line where a server ${name}`, async () => {
    await using server = new Scripted(script);
    const { port } = server.address;
    const got = await ran(["get", `127.0.0.1:${port}`, "/"]);
    assertEquals([got.code, got.output, got.errors.length], [1, output, 1]);
    assertMatch(got.errors[0]!, /^smisk: The (?:FastCGI server|response) /);
    assertMatch(got.errors[0]!, why);
  });
}

Deno.test("smisk get prints what a server logs last, without a line end, before it closes", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDERR, 1, "PHP message: first\nlast"));
    peer.close();
  });
  const { port } = server.address;
  const { code, errors } = await ran(["get", `127.0.0.1:${port}`, "/"]);
  assertEquals([code, errors.length], [1, 3]);
  assertEquals(errors.slice(0, 2), ["PHP message: first", "last"]);
});

Deno.test("smisk get names the flag of a time that is over", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDOUT, 1, `${PLAIN}half`));
    await peer.toEnd().catch(() => {});
  });
  const got = await ran([
    "get",
    `127.0.0.1:${server.address.port}`,
    "/",
    "--timeout=2000",
  ]);
  assertEquals([got.code, got.output], [1, ["half"]]);
  assertMatch(
    got.errors[0]!,
    /^smisk: The FastCGI server sent no more of its response within the 2000 milliseconds that --timeout allows: smisk check /,
  );
});

Deno.test("smisk get says why it cannot connect", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const cases: [address: string, why: RegExp][] = [
      [`${folder}/none.sock`, /No such file or directory/],
      [`${folder}/file`, /Connection refused|not a socket/i],
      ["no-host.invalid:9000", /lookup|resolve|known/i],
    ];
    for (const [address, why] of cases) {
      const { code, errors, output } = await ran(["get", address, "/"]);
      assertEquals([code, output, errors.length], [1, [], 1]);
      assertEquals(
        errors[0]!.startsWith(`smisk: Cannot connect to ${address}: `),
        true,
        errors[0],
      );
      assertMatch(errors[0]!, why);
      assertEquals(
        errors[0]!.endsWith(`: smisk check ${address} tells more`),
        true,
        errors[0],
      );
    }
  });
});

Deno.test("smisk get says that the file of a body cannot be read", async () => {
  await inFolder(async (folder) => {
    for (const file of [`${folder}/none`, folder]) {
      const { code, errors } = await ran(["get", ":9", "/", `--body=${file}`]);
      assertEquals([code, errors.length], [1, 1]);
      assertMatch(errors[0]!, /^smisk: Cannot read the body out of \//);
    }
  });
});

// What is no fault

const WHOLE: [name: string, args: string[], answer: string][] = [
  ["HEAD", ["--method=HEAD"], `Content-Length: 9\r\n${PLAIN}`],
  ["304", [], "Status: 304\r\nContent-Length: 9\r\n\r\n"],
  ["204", [], "Status: 204\r\n\r\n"],
  ["a Location", [], "Location: /elsewhere\r\n\r\n"],
];

for (const [name, args, answer] of WHOLE) {
  Deno.test(`smisk get takes an answer of ${name} without a body for whole`, async () => {
    await using server = new Scripted(
      sending(concatLarge(stdout(answer))),
    );
    const got = await ran([
      "get",
      `127.0.0.1:${server.address.port}`,
      "/",
      ...args,
    ]);
    assertEquals([got.code, got.output, got.errors], [0, [], []]);
  });
}

Deno.test("smisk get sends cookies as one, and nothing behind a #", async () => {
  await using running = new Running((request, response) => {
    const { HTTP_COOKIE, REQUEST_URI } = request.env;
    response.write(JSON.stringify([HTTP_COOKIE, REQUEST_URI]));
  });
  const { port } = running.server.addr as Deno.NetAddr;
  const { output } = await ran([
    "get",
    `127.0.0.1:${port}`,
    "/a?b#c",
    "--header=Cookie: a=1",
    "--header=cookie: b=2",
  ]);
  assertEquals(JSON.parse(output[0]!), ["a=1; b=2", "/a?b"]);
});
