// What an answer looks like on the wire: one write, one header block, a body
// that is as long as it says, and none where there must be none.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import {
  concatLarge,
  END,
  request,
  response as whole,
  STDOUT,
} from "../support/wire.ts";

const HTML = "Content-Type: text/html; charset=utf-8";

for (const unix of [false, true]) {
  const socket = unix ? "a Unix socket" : "TCP";

  Deno.test(`a ready response leaves in one write over ${socket}`, async () => {
    await using host = new Running((_, response) => {
      response.write("Hello World!");
    }, { unix, watched: true });
    using peer = await host.connect();
    const expected = whole(
      `${HTML}\r\nContent-Length: 12\r\nStatus: 200 OK\r\n\r\nHello World!`,
    );

    for (let i = 1; i <= 3; i++) {
      await peer.send(request());
      await peer.answer();
      assertEquals(host.writes, new Array(i).fill(expected));
      assertEquals(peer.reads, new Array(i).fill(expected.length));
    }
  });
}

/** Responses that are complete when service() returns. */
const READY: [name: string, service: Service, lines: string[], body: string][] =
  [
    ["of nothing", () => {}, [HTML, "Content-Length: 0", "Status: 200 OK"], ""],
    [
      "of a string beyond ASCII",
      (_, response) => void response.write("Grüße, 世界"),
      [HTML, "Content-Length: 15", "Status: 200 OK"],
      "Grüße, 世界",
    ],
    [
      "of strings and bytes",
      (_, response) => {
        response.write("one ");
        response.write(new Uint8Array([116, 119, 111]));
        response.write(" three");
      },
      [HTML, "Content-Length: 13", "Status: 200 OK"],
      "one two three",
    ],
    [
      "of an async service",
      async (_, response) => {
        await response.write("one ");
        await response.write("two");
      },
      [HTML, "Content-Length: 7", "Status: 200 OK"],
      "one two",
    ],
    [
      "of bytes that are reused after write()",
      (_, response) => {
        const bytes = new Uint8Array(4).fill(97);
        response.write(bytes);
        response.write(bytes.fill(98));
        bytes.fill(99);
      },
      [HTML, "Content-Length: 8", "Status: 200 OK"],
      "aaaabbbb",
    ],
    ...[9_000, 11_000, 65_000, 70_000, 200_000].map((length) =>
      [
        `of ${length} characters`,
        (_, response) => void response.write("x".repeat(length)),
        [HTML, `Content-Length: ${length}`, "Status: 200 OK"],
        "x".repeat(length),
      ] satisfies [string, Service, string[], string]
    ),
    [
      "of JSON",
      (_, response) => void response.json({ a: [1] }),
      ["Content-Type: application/json", "Content-Length: 9", "Status: 200 OK"],
      '{"a":[1]}',
    ],
    [
      "that redirects, with the status after the location",
      (_, response) => response.redirect("/there", 303),
      [HTML, "Location: /there", "Content-Length: 0", "Status: 303 See Other"],
      "",
    ],
    [
      "with a reason of its own",
      (_, response) => {
        response.status = 299;
        response.statusText = "Fine";
      },
      [HTML, "Content-Length: 0", "Status: 299 Fine"],
      "",
    ],
    [
      "without the headers that belong to one connection",
      (_, response) => {
        for (
          const name of [
            "Connection",
            "Keep-Alive",
            "Transfer-Encoding",
            "Upgrade",
            "Trailer",
            "TE",
          ]
        ) response.headers.set(name, "x");
        response.headers.set("X-Kept", "yes");
      },
      [HTML, "X-Kept: yes", "Content-Length: 0", "Status: 200 OK"],
      "",
    ],
    [
      "with a Content-Length of its own",
      (_, response) => {
        response.headers.set("Content-Length", "3");
        response.write("abc");
      },
      [HTML, "Content-Length: 3", "Status: 200 OK"],
      "abc",
    ],
    [
      "with two contradictory Content-Lengths",
      (_, response) => {
        response.headers.append("Content-Length", "3");
        response.headers.append("Content-Length", "4");
        response.write("abcde");
      },
      [HTML, "Content-Length: 5", "Status: 200 OK"],
      "abcde",
    ],
    [
      "with a Status header of its own",
      (_, response) => {
        response.headers.set("Status", "500 Nonsense");
      },
      [HTML, "Content-Length: 0", "Status: 200 OK"],
      "",
    ],
    [
      "with two cookies",
      (_, response) => {
        response.headers.append("Set-Cookie", "a=1");
        response.headers.append("Set-Cookie", "b=2");
      },
      [
        HTML,
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
        "Content-Length: 0",
        "Status: 200 OK",
      ],
      "",
    ],
  ];

for (const [name, service, lines, body] of READY) {
  Deno.test(`a response ${name} leaves in one write with its length`, async () => {
    await using host = new Running(service, { watched: true });
    using peer = await host.connect();
    const answer = await peer.ask(request());

    assertEquals(answer.lines.toSorted(), lines.toSorted());
    assertEquals(answer.lines.at(-1), lines.at(-1));
    assertEquals(answer.text, body);
    assertEquals([answer.appStatus, answer.protocolStatus], [0, 0]);
    assertEquals(host.writes.length, 1);
    assertEquals(host.logged, []);
  });
}

Deno.test("a flushed response has no length and leaves as it is written", async () => {
  await using host = new Running(async (_, response) => {
    response.write("one");
    await response.flush();
    response.write("two");
    await response.flush();
    response.write("three");
  });
  using peer = await host.connect();
  await peer.send(request());
  await peer.until((record) => record.type === END);
  const records = peer.records.filter(({ type }) => type === STDOUT);

  assertEquals(
    records.map(({ content }) => new TextDecoder().decode(content)),
    [`${HTML}\r\nStatus: 200 OK\r\n\r\none`, "two", "three", ""],
  );
});

Deno.test("begin() and flush() send the header block by itself", async () => {
  let goOn = () => {};
  await using host = new Running(async (_, response) => {
    response.begin();
    await response.flush();
    await new Promise<void>((resolve) => goOn = resolve);
    response.write("late");
  });
  using peer = await host.connect();
  await peer.send(request());
  const first = await peer.until(({ type }) => type === STDOUT);
  assertEquals(
    new TextDecoder().decode(first.content),
    `${HTML}\r\nStatus: 200 OK\r\n\r\n`,
  );
  goOn();
  assertEquals((await peer.answer()).text, "late");
});

/** Answers that carry no body, whatever is written. */
const BODILESS: [
  name: string,
  method: string,
  status: number,
  header: string,
][] = [
  ["HEAD", "HEAD", 200, "Content-Length: 5"],
  ["HEAD of a 404", "HEAD", 404, "Content-Length: 5"],
  ["204", "GET", 204, ""],
  ["205", "GET", 205, ""],
  ["304", "GET", 304, ""],
  ["204 to HEAD", "HEAD", 204, ""],
];

for (const [name, method, status, header] of BODILESS) {
  const params = { REQUEST_METHOD: method };
  const writers: [string, Service][] = [
    ["a string", (_, response) => void response.write("Hello")],
    [
      "bytes in pieces",
      (_, response) => {
        response.write(new Uint8Array(2));
        response.write(new Uint8Array(3));
      },
    ],
    [
      "and flushes",
      async (_, response) => {
        response.write("Hel");
        await response.flush();
        response.write("lo");
        await response.flush();
      },
    ],
  ];
  for (const [how, write] of writers) {
    Deno.test(`${name} carries no body byte where the service writes ${how}`, async () => {
      await using host = new Running((request, response) => {
        response.status = status;
        return write(request, response);
      });
      using peer = await host.connect();
      const answer = await peer.ask(request({ params }));

      assertEquals(answer.body.length, 0);
      assertEquals(answer.status, status);
      const lengths = answer.lines.filter((l) => l.startsWith("Content-L"));
      const isTold = header !== "" && how !== "and flushes";
      assertEquals(lengths, isTold ? [header] : []);
      assertEquals(answer.protocolStatus, 0);
    });
  }
}

Deno.test("HEAD keeps the Content-Length that the application set", async () => {
  await using host = new Running((_, response) => {
    response.headers.set("Content-Length", "123456");
  });
  using peer = await host.connect();
  const params = { REQUEST_METHOD: "HEAD" };
  const answer = await peer.ask(request({ params }));
  assertEquals(answer.headers["content-length"], "123456");
  assertEquals(answer.body.length, 0);
  assertEquals(host.logged, []);
});

for (const status of [204, 205]) {
  Deno.test(`${status} announces no body even where the application set a Content-Length`, async () => {
    await using host = new Running((_, response) => {
      response.status = status;
      response.headers.set("Content-Length", "5");
      response.write("Hello");
    });
    using peer = await host.connect();
    const answer = await peer.ask(request());
    assertEquals(answer.body.length, 0);
    assertEquals(answer.headers["content-length"] ?? "0", "0");
  });
}

Deno.test("a body longer than its Content-Length is cut off, and logged", async () => {
  await using host = new Running((_, response) => {
    response.headers.set("Content-Length", "5");
    response.write("Hel");
    response.write("lo World!");
    response.write("more");
  });
  using peer = await host.connect();
  const answer = await peer.ask(request());
  assertEquals(answer.text, "Hello");
  assertEquals(answer.headers["content-length"], "5");
  assertStringIncludes(
    host.logged.join("\n") + answer.stderr,
    "longer than its Content-Length of 5",
  );
});

Deno.test("a body shorter than its Content-Length never looks whole", async () => {
  await using host = new Running((_, response) => {
    response.headers.set("Content-Length", "50");
    response.write("Hello");
  });
  using peer = await host.connect();
  await peer.send(request());
  const records = await peer.toEnd();
  assertEquals(records.filter(({ type }) => type === END), []);
  assertStringIncludes(host.logged.join(), "shorter than its Content-Length");
  using next = await host.connect();
  await next.send(request());
  assertEquals((await next.toEnd()).filter(({ type }) => type === END), []);
});

Deno.test("a body shorter than its Content-Length ends with an application status where others are in flight", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await using host = new Running(async (request, response) => {
    if (request.param("REQUEST_URI") === "/other") {
      await promise;
      response.write("whole");
      return;
    }
    response.headers.set("Content-Length", "50");
    response.write("Hello");
    await response.flush();
  });
  using peer = await host.connect();
  await peer.send(request({ id: 2, params: { REQUEST_URI: "/other" } }));
  await peer.send(request({ id: 1 }));
  const short = await peer.answer(1);
  assertEquals(short.text, "Hello");
  assertEquals(short.appStatus === 0, false);
  resolve();
  const other = await peer.answer(2);
  assertEquals([other.text, other.appStatus], ["whole", 0]);
});

/** Ways to write a long body. */
const LONG: [
  name: string,
  write: (response: Parameters<Service>[1], body: Uint8Array) => unknown,
][] = [
  ["as one array", (response, body) => response.write(body)],
  [
    "as one string",
    (response, body) => response.write(new TextDecoder().decode(body)),
  ],
  [
    "in pieces, awaited",
    async (response, body) => {
      for (let at = 0; at < body.length; at += 10_007) {
        await response.write(body.subarray(at, at + 10_007));
      }
    },
  ],
  [
    "in pieces, not awaited",
    (response, body) => {
      for (let at = 0; at < body.length; at += 40_009) {
        response.write(body.subarray(at, at + 40_009));
      }
    },
  ],
  [
    "through the stream",
    async (response, body) => {
      await new Blob([body.slice()]).stream().pipeTo(response.writable);
    },
  ],
];

for (const length of [1_000_000, 20_000_000]) {
  for (const [name, write] of LONG) {
    Deno.test(`a response of ${length} bytes arrives whole, written ${name}`, async () => {
      // ASCII, and every piece of it different from the next.
      const body = new Uint8Array(length);
      for (let i = 0; i < length; i++) body[i] = 33 + i % 89;
      await using host = new Running(async (_, response) => {
        await write(response, body);
      });
      using peer = await host.connect();
      await peer.send(request());
      await peer.until((record) => record.type === END);
      const records = peer.take();
      const stdout = records.filter(({ type }) => type === STDOUT);
      assertEquals(records.length, stdout.length + 1);
      assertEquals(stdout.at(-1)!.content.length, 0);
      const empty = stdout.filter(({ content }) => content.length === 0);
      assertEquals(empty.length, 1);
      const all = concatLarge(stdout.map(({ content }) => content));
      const head = all.length - length;
      assertEquals(
        new TextDecoder().decode(all.subarray(0, head)).endsWith(
          "Status: 200 OK\r\n\r\n",
        ),
        true,
      );
      let same = 0;
      while (same < length && all[head + same] === body[same]) same++;
      assertEquals(same, length);
    });
  }
}
