// smisk check: what is spoken, and how a request is answered.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Running } from "../support/running.ts";
import type { RunningOptions, Service } from "../support/running.ts";
import { readRequest, Scripted } from "../support/scripted.ts";
import type { Script } from "../support/scripted.ts";
import {
  concatLarge,
  end,
  GET_VALUES,
  GET_VALUES_RESULT,
  pairs,
  record,
  response,
  STDERR,
  STDOUT,
  UNKNOWN_TYPE,
} from "../support/wire.ts";
import { check, lineOf } from "./checking.ts";

/** What is found of a service. */
async function checked(
  service: Service,
  args: readonly string[] = [],
  options: RunningOptions = {},
): Promise<{ code: number; lines: string[] }> {
  await using running = new Running(service, options);
  const { port } = running.server.addr as Deno.NetAddr;
  return await check(`127.0.0.1:${port}`, ...args);
}

/** What is found of a server that does as it is told. */
async function scripted(
  script: Script,
  ...args: string[]
): Promise<{ code: number; lines: string[] }> {
  await using server = new Scripted(script);
  return await check(`127.0.0.1:${server.address.port}`, ...args);
}

/** Answers FCGI_GET_VALUES, and what follows as it is told. */
function server(
  answer: Uint8Array,
  values: Uint8Array | null = record(
    GET_VALUES_RESULT,
    0,
    pairs({ FCGI_MPXS_CONNS: "0" }),
  ),
): Script {
  return async (peer, index) => {
    if (index === 0) {
      await peer.until(({ type }) => type === GET_VALUES);
      if (values !== null) await peer.send(values);
      await peer.toEnd();
      return;
    }
    await readRequest(peer);
    await peer.send(answer);
    await peer.toEnd().catch(() => {});
  };
}

const PLAIN = "Content-Type: text/plain\r\n\r\n";

Deno.test("smisk check finds nothing wrong with a good server", async () => {
  const { code, lines } = await checked((request, response) => {
    response.write(request.url.pathname);
  }, ["--path=/a"]);
  assertEquals([code, lines.length], [0, 3]);
  assertMatch(lines[0]!, /^ok {7}Somebody listens on 127\.0\.0\.1:\d+$/);
  assertMatch(
    lines[1]!,
    /^ok {7}It speaks FastCGI: FCGI_MAX_CONNS=\d+, FCGI_MAX_REQS=128, FCGI_MPXS_CONNS=1; a connection carries many requests at once$/,
  );
  assertMatch(
    lines[2]!,
    /^ok {7}GET \/a is answered with 200 OK, 2 bytes of body, in \d+ ms$/,
  );
});

// What else is spoken

Deno.test("smisk check says that HTTP is spoken", async () => {
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("hello"),
  );
  try {
    const { code, lines } = await check(`127.0.0.1:${http.addr.port}`);
    assertEquals(code, 1);
    assertMatch(
      lineOf(lines, "problem"),
      /^problem {2}HTTP is spoken on 127\.0\.0\.1:\d+.*, not FastCGI: use it with proxy_pass and the like/,
    );
  } finally {
    await http.shutdown();
  }
});

Deno.test("smisk check says that HTTP is spoken by a server that only closes", async () => {
  const { code, lines } = await scripted(async (peer) => {
    const buffer = new Uint8Array(4096);
    const length = await peer.conn.read(buffer) ?? 0;
    const text = new TextDecoder().decode(buffer.subarray(0, length));
    if (text.startsWith("GET / ")) {
      await peer.send(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
    }
    peer.close();
  });
  assertEquals(code, 1);
  assertMatch(lineOf(lines, "problem"), /^problem {2}HTTP is spoken on/);
});

const GREETINGS: [greeting: string, protocol: string][] = [
  ["SSH-2.0-OpenSSH_9.2\r\n", "SSH"],
  ["-ERR unknown command\r\n", "The protocol of Redis"],
  ["\x15\x03\x01\x00\x02\x02\x46", "TLS"],
  ["220 mail.test ESMTP\r\n", "SMTP or FTP"],
  ["\x4a\x00\x00\x00\x0a8.0.36", "Another protocol"],
];

for (const [greeting, protocol] of GREETINGS) {
  Deno.test(`smisk check says that ${protocol} is spoken`, async () => {
    const { code, lines } = await scripted(async (peer) => {
      await peer.send(
        Uint8Array.from(greeting, (character) => character.charCodeAt(0)),
      );
      while (await peer.conn.read(new Uint8Array(4096)) !== null);
    });
    assertEquals(code, 1);
    assert(
      lineOf(lines, "problem").startsWith(`problem  ${protocol} is spoken on`),
      lines.join("\n"),
    );
    for (const line of lines) assertMatch(line, /^[ -~]*$/);
  });
}

// How FastCGI is spoken

Deno.test("smisk check takes a server without FCGI_GET_VALUES as it is", async () => {
  const unknown = await scripted(server(
    response(`${PLAIN}hello`),
    record(UNKNOWN_TYPE, 0, new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0])),
  ));
  assertEquals(unknown.code, 0);
  assertMatch(unknown.lines[1]!, /^ok .*knows no FCGI_GET_VALUES/);

  const silent = await scripted(async (peer, index) => {
    // The question, and whether it is HTTP.
    if (index < 2) {
      while (await peer.conn.read(new Uint8Array(4096)) !== null);
      return;
    }
    await readRequest(peer);
    await peer.send(response(`${PLAIN}hello`));
    await peer.toEnd();
  });
  assertEquals(silent.code, 0);
  assertMatch(
    lineOf(silent.lines, "warning"),
    /^warning {2}It does not answer FCGI_GET_VALUES.*option get-values/,
  );
});

Deno.test("smisk check says that a server closes every connection", async () => {
  const { code, lines } = await checked(() => {}, [], {
    allowedClients: ["192.0.2.1"],
  });
  assertEquals(code, 1);
  assertMatch(
    lineOf(lines, "warning"),
    /closes the connection (?:with a reset )?at FCGI_GET_VALUES: .*--allow/,
  );
  assertMatch(
    lineOf(lines, "problem"),
    /closes the connection without an answer to GET \/: .*--allow/,
  );
});

Deno.test("smisk check says that there is no answer, or a late one", async () => {
  const none = await scripted(server(new Uint8Array(0)), "--timeout=1500");
  assertEquals(none.code, 1);
  assertMatch(
    lineOf(none.lines, "problem"),
    /^problem {2}GET \/ is not answered within 1500 ms: the program is stuck/,
  );
  const slow = await checked(async (_, response) => {
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    response.write("late");
  });
  assertEquals(slow.code, 0);
  assertMatch(
    lineOf(slow.lines, "warning"),
    /^warning {2}That took \d+\.\d seconds: .*--slow-log/,
  );
});

Deno.test("smisk check tells an error of the application, with what it logs", async () => {
  const { code, lines } = await checked(() => {
    throw new Error("on purpose");
  });
  assertEquals(code, 1);
  assertMatch(
    lineOf(lines, "problem"),
    /^problem {2}GET \/ is answered with 500 Internal Server Error, .*: the application failed/,
  );
  assert(
    lines.some((line) => /^warning {2}It logs: .*on purpose/.test(line)),
    lines.join("\n"),
  );
  const missing = await checked((_, response) => {
    response.status = 404;
  });
  assertEquals(missing.code, 0);
});

Deno.test("smisk check says what is odd about an answer", async () => {
  const cases: [answer: Uint8Array, code: number, text: RegExp][] = [
    [
      concatLarge([
        record(STDOUT, 1, `${PLAIN}x`),
        record(STDOUT, 1),
        end(1, 7),
      ]),
      0,
      /^warning {2}The application status of FCGI_END_REQUEST is 7/,
    ],
    [
      response(`X-Large: ${"x".repeat(5000)}\r\n${PLAIN}x`),
      0,
      /^warning {2}The header of the answer has \d+ bytes, and nginx takes 4096/,
    ],
    [response("\r\nx"), 0, /^warning {2}The answer has no Content-Type/],
    [
      end(1, 0, 2),
      1,
      /^problem {2}It refuses the request, for it has too many/,
    ],
    [end(1, 0, 3), 1, /^problem {2}It refuses the role of a Responder/],
    [end(1), 1, /^problem {2}The FastCGI server ended the request without/],
    [
      response("no header at all\r\n\r\n"),
      1,
      /^problem {2}The response header is malformed: the line "no header at all"/,
    ],
    [
      concatLarge([
        record(STDERR, 1, "evil \x1b[2J\u202e\nsecond"),
        response(`${PLAIN}x`),
      ]),
      0,
      /^warning {2}It logs: evil \\x1b\[2J\\u202e$/,
    ],
  ];
  for (const [answer, code, text] of cases) {
    const found = await scripted(server(answer));
    assertEquals(found.code, code, found.lines.join("\n"));
    assert(found.lines.some((line) => text.test(line)), found.lines.join("\n"));
  }
});

const PHP: [answer: Uint8Array, args: string[], text: RegExp][] = [
  [
    response(`Status: 404 Not Found\r\n${PLAIN}File not found.\n`),
    [],
    /^problem {2}PHP-FPM was given no script to run: name one with --script/,
  ],
  [
    concatLarge([
      record(STDERR, 1, "Primary script unknown"),
      response(`Status: 404 Not Found\r\n${PLAIN}File not found.\n`),
    ]),
    ["--script=/srv/none.php"],
    /^problem {2}PHP-FPM finds no "\/srv\/none\.php": SCRIPT_FILENAME is the path as PHP-FPM sees it/,
  ],
  [
    concatLarge([
      record(
        STDERR,
        1,
        "Access to the script '/a.txt' has been denied (see security.limit_extensions)",
      ),
      response(`Status: 403 Forbidden\r\n${PLAIN}Access denied.\n`),
    ]),
    ["--script=/a.txt"],
    /^problem {2}PHP-FPM may not run "\/a\.txt": its name does not end/,
  ],
  [
    response(`${PLAIN}No input file specified.\n`),
    [],
    /^problem {2}PHP was given no script to run: name one with --script/,
  ],
];

for (const [answer, args, text] of PHP) {
  Deno.test(`smisk check explains PHP's answer: ${text.source.slice(13, 50)}`, async () => {
    const { code, lines } = await scripted(server(answer), ...args);
    assertEquals(code, 1);
    assertMatch(lineOf(lines, "problem"), text);
  });
}
