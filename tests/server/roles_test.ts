// Responder, Authorizer, Filter (FastCGI 1.0, section 6), and any other role.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import type { RunningOptions, Service } from "../support/running.ts";
import {
  begin,
  concatLarge,
  DATA,
  GET,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
} from "../support/wire.ts";

/** What an Authorizer gets: parameters, and never FCGI_STDIN. */
function authorize(
  id = 1,
  params: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  return concatLarge([
    begin(id, { role: 2 }),
    stream(PARAMS, id, pairs({ ...GET, ...params })),
  ]);
}

Deno.test("an Authorizer that decides nothing denies with 403, without FCGI_STDIN", async () => {
  await using host = new Running(() => {}, { watched: true });
  using peer = await host.connect();
  const answer = await peer.ask(authorize());
  assertEquals(answer.lines[0], "Status: 403 Forbidden");
  assertEquals([answer.appStatus, answer.protocolStatus], [0, 0]);
  assertEquals(host.writes.length, 1);
});

Deno.test("an Authorizer's status comes first: lighttpd drops what stands before it", async () => {
  await using host = new Running((_, response) => {
    response.status = 401;
    response.headers.set("www-authenticate", 'Basic realm="x"');
    response.write("no");
  });
  using peer = await host.connect();
  const answer = await peer.ask(authorize());
  assertEquals(answer.lines, [
    "Status: 401 Unauthorized",
    "Content-Type: text/html; charset=utf-8",
    'WWW-Authenticate: Basic realm="x"',
    "Content-Length: 2",
  ]);
});

Deno.test("an Authorizer with a CONTENT_LENGTH does not wait for a body", async () => {
  await using host = new Running(async (request, response) => {
    response.write(`[${await request.text()}] ${request.role}`);
  });
  using peer = await host.connect();
  const answer = await peer.ask(authorize(1, { CONTENT_LENGTH: "5" }));
  assertEquals([answer.status, answer.text], [403, "[] authorizer"]);
});

Deno.test("an Authorizer is sent FCGI_STDIN all the same: it is ignored", async () => {
  await using host = new Running((_, response) => {
    response.status = 200;
  });
  using peer = await host.connect();
  await peer.send(authorize(), stream(STDIN, 1, "body"));
  assertEquals((await peer.answer()).status, 200);
  assertEquals((await peer.ask(authorize())).status, 200);
});

Deno.test("an Authorizer allows with 200, and its Variable headers pass as they are named", async () => {
  await using host = new Running((_, response) => {
    response.status = 200;
    response.headers.set("Variable-AUTH_USER", "alice");
    response.headers.set("Variable-REMOTE_GROUP", "staff");
  });
  using peer = await host.connect();
  const answer = await peer.ask(authorize());
  assertEquals(answer.status, 200);
  // The web server makes a variable of the name: variables are upper case.
  assert(answer.lines.includes("Variable-AUTH_USER: alice"), `${answer.lines}`);
  assert(
    answer.lines.includes("Variable-REMOTE_GROUP: staff"),
    `${answer.lines}`,
  );
});

/** Whatever goes wrong, lighttpd lets a request in that has no status. */
const FAILURES: [
  name: string,
  service: Service,
  options: RunningOptions,
  status: number,
][] = [
  [
    "throws",
    () => {
      throw new Error("broken");
    },
    {},
    500,
  ],
  [
    "throws after it allowed",
    (_, response) => {
      response.status = 200;
      response.write("fine");
      throw new Error("broken");
    },
    {},
    500,
  ],
  [
    "throws out of error() too",
    () => {
      throw new Error("broken");
    },
    {
      error() {
        throw new Error("second");
      },
    },
    500,
  ],
  [
    "fails with an error() that does nothing",
    () => {
      throw new Error("broken");
    },
    { error() {} },
    500,
  ],
  [
    "does not answer in time",
    () => new Promise(() => {}),
    { requestTimeoutMs: 50 },
    504,
  ],
];

for (const [name, service, options, status] of FAILURES) {
  Deno.test(`an Authorizer that ${name} ends with an explicit ${status}`, async () => {
    await using host = new Running(service, options);
    using peer = await host.connect();
    const answer = await peer.ask(authorize());
    assertEquals(answer.status, status);
    assertEquals(answer.protocolStatus, 0);
  });
}

Deno.test("an Authorizer that promised a longer body ends with a denial or a closed connection", async () => {
  await using host = new Running((_, response) => {
    response.status = 200;
    response.headers.set("Content-Length", "10");
    response.write("short");
  });
  using peer = await host.connect();
  await peer.send(authorize(1), authorize(2));
  const all = await peer.toEnd();
  const ends = all.filter(({ type }) => type === 3);
  for (const { id } of ends) {
    const stdout = all.filter((one) => one.id === id && one.type === 6)
      .map(({ content }) => new TextDecoder().decode(content)).join("");
    assertStringIncludes(stdout, "Status: 5");
  }
});

/** What an Authorizer is refused with. */
const REFUSALS: [name: string, bytes: Uint8Array, status: number][] = [
  [
    "of malformed parameters",
    concatLarge([begin(1, { role: 2 }), stream(PARAMS, 1, "\x05\x05abc")]),
    400,
  ],
  [
    "of too many parameters",
    authorize(1, { HTTP_COOKIE: "x".repeat(2000) }),
    431,
  ],
  ["without a method", authorize(1, { REQUEST_METHOD: "" }), 500],
  ["of a bad host", authorize(1, { HTTP_HOST: "a b" }), 400],
];

for (const [name, bytes, status] of REFUSALS) {
  Deno.test(`an Authorizer request ${name} ends with an explicit ${status}`, async () => {
    await using host = new Running((_, response) => {
      response.status = 200;
    }, { maxParamsBytes: 1024 });
    using peer = await host.connect();
    assertEquals((await peer.ask(bytes)).status, status);
  });
}

for (const role of [0, 4, 7, 0xffff]) {
  Deno.test(`role ${role} is answered with a whole 500 and FCGI_UNKNOWN_ROLE`, async () => {
    let served = 0;
    await using host = new Running(() => void served++, { watched: true });
    using peer = await host.connect();
    const answer = await peer.ask(request({ role, body: "abc" }));
    assertEquals(answer.lines.at(-1), "Status: 500 Internal Server Error");
    assertEquals(Number(answer.headers["content-length"]), answer.body.length);
    assertEquals([answer.appStatus, answer.protocolStatus], [0, 3]);
    assertEquals(served, 0);
    assertEquals((await peer.ask(request())).protocolStatus, 0);
    assertEquals(served, 1);
  });
}

const FILTER_PARAMS = {
  FCGI_DATA_LAST_MOD: "1000000000",
  FCGI_DATA_LENGTH: "11",
};

async function filter(
  request: Parameters<Service>[0],
  response: Parameters<Service>[1],
): Promise<void> {
  const body = await request.text();
  const data = await new Response(request.data).text();
  response.write(
    `${request.role} ${body}|${data}|${request.dataLength}|${request.dataLastModified.toISOString()}`,
  );
}

Deno.test("a Filter gets its body and its file", async () => {
  await using host = new Running(filter);
  using peer = await host.connect();
  const answer = await peer.ask(
    request({
      role: 3,
      params: FILTER_PARAMS,
      body: "abc",
      data: "Hello World",
    }),
  );
  assertEquals(
    answer.text,
    "filter abc|Hello World|11|2001-09-09T01:46:40.000Z",
  );
});

Deno.test("a Filter gets a file of unknown length in many records", async () => {
  await using host = new Running(filter);
  using peer = await host.connect();
  await peer.send(
    begin(1, { role: 3 }),
    stream(PARAMS, 1, pairs({ ...GET, FCGI_DATA_LAST_MOD: "0" })),
    stream(STDIN, 1, "a"),
    stream(DATA, 1, "0123456789", 3),
  );
  assertEquals(
    (await peer.answer()).text,
    "filter a|0123456789|0|1970-01-01T00:00:00.000Z",
  );
});

Deno.test("a Filter's file is complete at FCGI_DATA_LENGTH, without an empty record", async () => {
  await using host = new Running(filter);
  using peer = await host.connect();
  await peer.send(
    begin(1, { role: 3 }),
    stream(PARAMS, 1, pairs({ ...GET, ...FILTER_PARAMS, CONTENT_LENGTH: "0" })),
    record(DATA, 1, "Hello World"),
  );
  assertEquals(
    (await peer.answer()).text,
    "filter |Hello World|11|2001-09-09T01:46:40.000Z",
  );
});

Deno.test("a Filter's file that ends early makes reading it fail", async () => {
  await using host = new Running(filter);
  using peer = await host.connect();
  await peer.send(
    begin(1, { role: 3 }),
    stream(PARAMS, 1, pairs({ ...GET, ...FILTER_PARAMS, CONTENT_LENGTH: "0" })),
    stream(DATA, 1, "Hello"),
  );
  assertEquals((await peer.answer()).status, 400);
});

Deno.test("a Filter's file that ends before its first byte fails, also where it is read only later", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    await promise;
    await filter(request, response);
  });
  using peer = await host.connect();
  await peer.send(
    begin(1, { role: 3 }),
    stream(PARAMS, 1, pairs({ ...GET, ...FILTER_PARAMS, CONTENT_LENGTH: "0" })),
    record(DATA, 1),
  );
  await host.goOn(5);
  resolve();
  assertEquals((await peer.answer()).status, 400);
});

Deno.test("a Filter without a file gets an empty one", async () => {
  await using host = new Running(filter);
  using peer = await host.connect();
  const params = { FCGI_DATA_LENGTH: "0", FCGI_DATA_LAST_MOD: "0" };
  const answer = await peer.ask(request({ role: 3, params, body: "abc" }));
  assertStringIncludes(answer.text, "filter abc||0|");
});

Deno.test("a Responder has no file, and is not disturbed by FCGI_DATA", async () => {
  await using host = new Running(filter);
  using peer = await host.connect();
  await peer.send(
    begin(1),
    stream(
      PARAMS,
      1,
      pairs({ ...GET, CONTENT_LENGTH: "3", FCGI_DATA_LAST_MOD: "0" }),
    ),
    stream(DATA, 1, "file"),
    stream(STDIN, 1, "abc"),
  );
  assertStringIncludes((await peer.answer()).text, "responder abc||0|");
});
