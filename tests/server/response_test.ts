// What an answer looks like on the wire: a ready one leaves in one write with
// its length, a flushed one as it is written.

import { assertEquals } from "@std/assert";
import { Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { END, request, response as whole, STDOUT } from "../support/wire.ts";

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

Deno.test("an event stream leaves with every write", async () => {
  let goOn = () => {};
  await using host = new Running(async (_, response) => {
    response.headers.set("Content-Type", "text/event-stream");
    for (let i = 1; i <= 3; i++) {
      response.write(`data: ${i}\n\n`);
      await new Promise<void>((resolve) => goOn = resolve);
    }
  });
  using peer = await host.connect();
  await peer.send(request());
  for (let i = 1; i <= 3; i++) {
    await peer.until(({ content }) =>
      new TextDecoder().decode(content).includes(`data: ${i}\n\n`)
    );
    goOn();
  }
  assertEquals((await peer.answer()).text, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
});
