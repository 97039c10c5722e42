// FCGI_STDERR and the errors of an application: where log lines stand among
// the records, and that a response which broke never looks whole.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HttpError } from "../../src/errors.ts";
import { gate, Running } from "../support/running.ts";
import type { RunningOptions, Service } from "../support/running.ts";
import {
  END,
  outline,
  records,
  request,
  STDERR,
  STDOUT,
} from "../support/wire.ts";

/**
 * Some web servers break on FCGI_STDERR by itself or before the header block
 * (HAProxy 2.6.12 crashes): it has to travel with what follows it.
 */
function assertPlaced(writes: Uint8Array[]): void {
  let isHeadSent = false;
  for (const write of writes) {
    const { records: sent, rest } = records(write);
    assertEquals(rest.length, 0, "a write ends amid a record");
    for (const { type } of sent) {
      if (type === STDERR) assert(isHeadSent, "STDERR before the header block");
      if (type === STDOUT) isHeadSent = true;
    }
    assert(
      sent.at(-1)!.type !== STDERR,
      `nothing follows STDERR in its write of ${sent.length} records, which ends: ${
        outline(sent.slice(-3)).join(", ")
      }`,
    );
  }
}

const LINES = Array.from(
  { length: 2_000 },
  (_, i) => `line ${i} ${"x".repeat(50)}`,
);

const PLACED: [name: string, service: Service, text: string, stderr: string][] =
  [
    [
      "log() before a ready response",
      (request, response) => {
        request.log("one");
        response.write("Hello");
      },
      "Hello",
      "one\n",
    ],
    [
      "log() after all was written",
      (request, response) => {
        response.write("Hello");
        request.log("one");
        request.log("two");
      },
      "Hello",
      "one\ntwo\n",
    ],
    ["log() and nothing else", (request) => request.log("one"), "", "one\n"],
    [
      "log() between the pieces of a flushed response",
      async (request, response) => {
        request.log("before");
        response.write("a");
        await response.flush();
        request.log("between");
        response.write("b");
        await response.flush();
        request.log("after");
      },
      "ab",
      "before\nbetween\nafter\n",
    ],
    [
      "log() after begin()",
      async (request, response) => {
        response.begin();
        await response.flush();
        request.log("one");
        await response.flush();
        response.write("late");
      },
      "late",
      "one\n",
    ],
    [
      "100 KB of log lines before a short body",
      (request, response) => {
        for (const line of LINES) request.log(line);
        response.write("Hello");
      },
      "Hello",
      LINES.join("\n") + "\n",
    ],
    [
      "100 KB of log lines before a long body",
      (request, response) => {
        for (const line of LINES) request.log(line);
        response.write("y".repeat(300_000));
      },
      "y".repeat(300_000),
      LINES.join("\n") + "\n",
    ],
    [
      "a line of 100 KB",
      (request, response) => {
        request.log("z".repeat(100_000));
        response.write("Hello");
      },
      "Hello",
      "z".repeat(100_000) + "\n",
    ],
  ];

for (const [name, service, text, stderr] of PLACED) {
  Deno.test(`${name} travels behind the header block and never alone`, async () => {
    await using host = new Running(service, { watched: true });
    using peer = await host.connect();
    const answer = await peer.ask(request());
    assertPlaced(host.writes);
    assertEquals(answer.stderr, stderr);
    assertEquals(answer.text, text);
    assertEquals(answer.status, 200);
    assertEquals(host.logged, []);
  });
}

Deno.test("log() waits for output to travel with", async () => {
  const logged = gate();
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    response.write("a");
    await response.flush();
    request.log("one");
    logged.resolve();
    await promise;
    response.write("b");
  }, { watched: true });
  using peer = await host.connect();
  await peer.send(request());
  await logged.promise;
  await host.goOn();
  assertEquals(
    host.writes.flatMap((write) => records(write).records)
      .filter(({ type, id }) => type === STDERR && id === 1),
    [],
  );
  resolve();
  assertEquals((await peer.answer()).stderr, "one\n");
});

Deno.test("log() without a request that can still carry it goes to the server's own log", async () => {
  const ended = gate();
  await using host = new Running((request) => {
    ended.promise.then(() => request.log("too late"));
  });
  using peer = await host.connect();
  await peer.ask(request());
  ended.resolve();
  await host.goOn(1);
  assertEquals(host.logged, ["smisk: too late"]);
});

Deno.test("log() escapes what would begin another line", async () => {
  await using host = new Running((request) => request.log("a\r\nb\0c\x1b[0m"));
  using peer = await host.connect();
  assertEquals(
    (await peer.ask(request())).stderr,
    "a\\x0d\\x0ab\\x00c\\x1b[0m\n",
  );
});

/** Errors before anything has left: a whole answer takes the place. */
const REPLACED: [
  name: string,
  service: Service,
  status: number,
  options: RunningOptions,
][] = [
  [
    "thrown at once",
    () => {
      throw new Error("broken");
    },
    500,
    {},
  ],
  [
    "thrown later",
    async () => {
      await Promise.resolve();
      throw new Error("broken");
    },
    500,
    {},
  ],
  [
    "thrown after a write that has not left",
    (_, response) => {
      response.status = 201;
      response.headers.set("X-Lost", "1");
      response.write("lost");
      throw new Error("broken");
    },
    500,
    {},
  ],
  [
    "that is no Error",
    () => {
      throw "broken";
    },
    500,
    {},
  ],
  [
    "HttpError",
    () => {
      throw new HttpError(404, "No such page");
    },
    404,
    {},
  ],
  [
    "out of error()",
    () => {
      throw new Error("broken");
    },
    500,
    {
      error: () => {
        throw new Error("second");
      },
    },
  ],
  [
    "out of error() after it wrote",
    () => {
      throw new Error("broken");
    },
    500,
    {
      error: async (_error, _request, response) => {
        response.status = 418;
        response.write("half");
        await Promise.resolve();
        throw new Error("second");
      },
    },
  ],
];

for (const [name, service, status, options] of REPLACED) {
  Deno.test(`an error ${name} is answered with a whole ${status}, and logged`, async () => {
    await using host = new Running(service, { ...options, watched: true });
    using peer = await host.connect();
    const answer = await peer.ask(request());

    assertEquals(answer.status, status);
    assertEquals(answer.protocolStatus, 0);
    assertEquals(Number(answer.headers["content-length"]), answer.body.length);
    assertEquals(answer.headers["x-lost"], undefined);
    assert(!answer.text.includes("lost") && !answer.text.includes("half"));
    assert(!answer.text.includes("broken"), "the page tells the message");
    assertPlaced(host.writes);
    const log = host.logged.join("\n") + answer.stderr;
    if (status === 500) assertStringIncludes(log, "broken");
    else assertEquals(log, "");
    using next = await host.connect();
    assertEquals((await next.ask(request())).status, status);
  });
}

Deno.test("an error before anything was written leaves application status and connection alone", async () => {
  await using host = new Running((_, response) => {
    response.status = 201;
    throw new Error("broken");
  });
  using peer = await host.connect();
  for (let i = 0; i < 2; i++) {
    const answer = await peer.ask(request());
    assertEquals([answer.status, answer.appStatus], [500, 0]);
  }
});

Deno.test("an error after the begin has an application status, and the connection closes", async () => {
  await using host = new Running((_, response) => {
    response.write("lost");
    throw new Error("broken");
  });
  using peer = await host.connect();
  const answer = await peer.ask(request());
  assertEquals(answer.status, 500);
  assert(answer.appStatus !== 0, "the application status is 0");
  assertEquals(await peer.toEnd(), []);
});

Deno.test("an error is logged with its stack, a line each, on the error stream", async () => {
  await using host = new Running(() => {
    throw new Error("broken");
  });
  using peer = await host.connect();
  const { stderr } = await peer.ask(request());
  assertStringIncludes(stderr, "Error: broken\n");
  assertStringIncludes(stderr, "\n    at ");
  assertStringIncludes(stderr, "error_stream_test.ts");
  assertEquals(host.logged, []);
});

Deno.test("an error after output has left closes the connection without an end, and is logged", async () => {
  await using host = new Running(async (_, response) => {
    response.write("begun");
    await response.flush();
    throw new Error("broken");
  });
  using peer = await host.connect();
  await peer.send(request());
  const all = await peer.toEnd();
  assertEquals(all.filter(({ type }) => type === END), []);
  const stdout = all.filter(({ type }) => type === STDOUT);
  assert(stdout.every(({ content }) => content.length > 0), "STDOUT is closed");
  const stderr = all.filter(({ type }) => type === STDERR)
    .map(({ content }) => new TextDecoder().decode(content)).join("");
  assertStringIncludes(host.logged.join("\n") + stderr, "broken");
});

Deno.test("an error after output has left ends with an application status where others are in flight", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    if (request.param("REQUEST_URI") === "/other") {
      await promise;
      response.write("whole");
      return;
    }
    response.write("begun");
    await response.flush();
    throw new Error("broken");
  }, { watched: true });
  using peer = await host.connect();
  await peer.send(
    request({ id: 9, params: { REQUEST_URI: "/other" } }),
    request({ id: 1 }),
  );
  const broken = await peer.answer(1);
  assertEquals(broken.text, "begun");
  assert(broken.appStatus !== 0, "the application status is 0");
  assertEquals(broken.protocolStatus, 0);
  assertStringIncludes(host.logged.join("\n") + broken.stderr, "broken");
  resolve();
  const other = await peer.answer(9);
  assertEquals([other.text, other.appStatus], ["whole", 0]);
  assertPlaced(host.writes);
});

Deno.test("breaking the stream off after output has left never looks whole", async () => {
  await using host = new Running(async (_, response) => {
    const writer = response.writable.getWriter();
    await writer.write(new TextEncoder().encode("begun"));
    await response.flush();
    await writer.abort();
  });
  using peer = await host.connect();
  await peer.send(request());
  const all = await peer.toEnd();
  assertEquals(all.filter(({ type }) => type === END), []);
});

Deno.test("showTraceback shows message and stack, escaped", async () => {
  await using host = new Running(() => {
    throw new Error("<b>broken</b>");
  }, { showTraceback: true });
  using peer = await host.connect();
  const { text } = await peer.ask(request());
  assertStringIncludes(text, "&lt;b&gt;broken&lt;/b&gt;");
  assert(!text.includes("<b>"));
  assertStringIncludes(text, "error_stream_test.ts");
});
