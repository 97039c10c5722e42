// The body of the Request that a handler is given.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bothWays, someBytes } from "../support/fetch.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import {
  begin,
  concatLarge,
  GET,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
} from "../support/wire.ts";

const MIB = 1 << 20;

/** The beginning of a POST, its body still to come. */
function post(length: number | null, id = 1): Uint8Array {
  const announced = length === null ? {} : { CONTENT_LENGTH: `${length}` };
  return concatLarge([
    begin(id),
    stream(
      PARAMS,
      id,
      pairs({ ...GET, REQUEST_METHOD: "POST", ...announced }),
    ),
  ]);
}

const MULTIPART = [
  "--b",
  'Content-Disposition: form-data; name="one"',
  "",
  "1",
  "--b",
  'Content-Disposition: form-data; name="file"; filename="a.txt"',
  "Content-Type: text/plain",
  "",
  "text",
  "--b--",
  "",
].join("\r\n");

const READS: [
  name: string,
  body: string,
  read: (request: Request) => Promise<unknown>,
  expected: unknown,
  type?: string,
][] = [
  ["text()", "h\u00e9llo", (request) => request.text(), "h\u00e9llo"],
  ["json()", '{"a":[1]}', (request) => request.json(), { a: [1] }],
  [
    "bytes()",
    "abc",
    async (request) => [...await request.bytes()],
    [97, 98, 99],
  ],
  [
    "arrayBuffer()",
    "abc",
    async (request) => (await request.arrayBuffer()).byteLength,
    3,
  ],
  [
    "blob()",
    "abc",
    async (request) => {
      const blob = await request.blob();
      return [blob.type, await blob.text()];
    },
    ["text/plain", "abc"],
    "text/plain",
  ],
  [
    "formData() of a form",
    "one=1&two=%C3%A9+b",
    async (request) => [...await request.formData()],
    [["one", "1"], ["two", "\u00e9 b"]],
    "application/x-www-form-urlencoded",
  ],
  [
    "formData() of parts",
    MULTIPART,
    async (request) => {
      const form = await request.formData();
      const file = form.get("file") as File;
      return [form.get("one"), file.name, file.type, await file.text()];
    },
    ["1", "a.txt", "text/plain", "text"],
    "multipart/form-data; boundary=b",
  ],
  [
    "for await",
    "abc",
    async (request) => {
      let text = "";
      for await (const chunk of request.body!) {
        text += new TextDecoder().decode(chunk);
      }
      return text;
    },
    "abc",
  ],
  [
    "a reader of bytes into a buffer",
    "abcdef",
    async (request) => {
      const reader = request.body!.getReader({ mode: "byob" });
      const found: number[][] = [];
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(4));
        if (done) return found;
        found.push([...value]);
      }
    },
    [[97, 98, 99, 100], [101, 102]],
  ],
];

for (const [name, body, read, expected, type] of READS) {
  bothWays(`${name} reads the body`, async (way) => {
    const params: Record<string, string> = type ? { CONTENT_TYPE: type } : {};
    assertEquals(await way.seen(read, { body, params }), expected);
  });
}

bothWays("a body is there to be read once", async (way) => {
  assertEquals(
    await way.seen(async (request) => {
      const before = request.bodyUsed;
      const reading = request.text();
      const during = request.bodyUsed;
      const text = await reading;
      for (
        const again of [
          () => request.text(),
          () => request.json(),
          () => request.bytes(),
          () => new Response(request.body).text(),
        ]
      ) await assertRejects(async () => await again(), TypeError);
      assertThrows(() => request.clone(), TypeError);
      assertThrows(() => new Request(request), TypeError);
      return [before, during, text, request.bodyUsed];
    }, { body: "once" }),
    [false, true, "once", true],
  );
});

bothWays("a body taken as a stream is used and locked", async (way) => {
  assertEquals(
    await way.seen(async (request) => {
      const { body } = request;
      const before = [request.bodyUsed, body!.locked, body === request.body];
      const reader = body!.getReader();
      const locked = [request.bodyUsed, body!.locked];
      await assertRejects(() => request.text(), TypeError);
      const { value } = await reader.read();
      return [before, locked, request.bodyUsed, value!.length];
    }, { body: "text" }),
    [[false, false, true], [false, true], true, 4],
  );
});

bothWays(
  "GET and HEAD have no body, others have one, be it empty",
  async (way) => {
    for (const [method, isThere] of [["GET", false], ["POST", true]] as const) {
      assertEquals(
        await way.seen(
          async (request) => [
            request.body !== null,
            request.bodyUsed,
            await request.text(),
          ],
          { params: { REQUEST_METHOD: method } },
        ),
        [isThere, false, ""],
      );
    }
    const { headers } = await way.ask(
      ({ body, method }) =>
        new Response(null, { headers: { seen: `${method} ${body}` } }),
      { params: { REQUEST_METHOD: "HEAD" } },
    );
    assertEquals(headers.seen, "HEAD null");
  },
);

bothWays("a body without a length is read to its end", async (way) => {
  assertEquals(
    await way.seen((request) => request.text(), {
      body: "some text",
      params: { CONTENT_LENGTH: "" },
    }),
    "some text",
  );
});

bothWays("a body is no longer than announced", async (way) => {
  for (
    const read of [
      (request: Request) => request.text(),
      (request: Request) => new Response(request.body).text(),
    ]
  ) {
    assertEquals(
      await way.seen(read, {
        body: "some text",
        params: { CONTENT_LENGTH: "4" },
      }),
      "some",
    );
  }
});

bothWays("a body comes as it is sent", async (way) => {
  const chunks: string[] = [];
  const came = Array.from({ length: 3 }, () => gate());
  await using running = way.run(async (request) => {
    for await (const chunk of request.body!) {
      chunks.push(new TextDecoder().decode(chunk));
      came[chunks.length - 1]!.resolve();
    }
    return new Response(chunks.join("|"));
  });
  using peer = await running.connect();
  await peer.send(post(null));
  for (const [i, text] of ["one", "two", "three"].entries()) {
    await peer.send(record(STDIN, 1, text));
    await within(came[i]!.promise, text);
  }
  await peer.send(record(STDIN, 1));
  assertEquals((await peer.answer()).text, "one|two|three");
});

bothWays("a large body arrives whole, in both forms", async (way) => {
  const body = someBytes(3 * MIB);
  const digest = async (bytes: Uint8Array<ArrayBuffer>) => {
    const hash = await crypto.subtle.digest("SHA-256", bytes);
    return new Uint8Array(hash).toHex();
  };
  const expected = await digest(body);
  for (
    const read of [
      (request: Request) => request.bytes(),
      (request: Request) => new Response(request.body).bytes(),
    ]
  ) {
    assertEquals(
      await way.seen(async (request) => await digest(await read(request)), {
        body,
      }),
      expected,
    );
  }
});

bothWays(
  "a body that is not read is held back, and goes on when it is",
  async (way) => {
    const total = 64 * MIB;
    const mayRead = gate();
    const began = gate();
    await using running = way.run(async (request) => {
      const reader = request.body!.getReader();
      let length = (await reader.read()).value!.length;
      began.resolve();
      await mayRead.promise;
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return new Response(`${length}`);
        length += value.length;
      }
    });
    using peer = await running.connect();
    await peer.send(post(total));
    let sent = 0;
    const sending = (async () => {
      const piece = record(STDIN, 1, new Uint8Array(32_768));
      for (; sent < total; sent += 32_768) await peer.send(piece);
      await peer.send(record(STDIN, 1));
    })();
    await within(began.promise, "the first chunk");
    for (let last = -1; last !== sent;) {
      last = sent;
      await running.goOn();
    }
    assert(sent < total / 2, `${sent} bytes were taken`);
    mayRead.resolve();
    const [{ text }] = await Promise.all([peer.answer(), sending]);
    assertEquals(text, `${total}`);
  },
);

bothWays(
  "a body that came in pieces before it was read has no byte more",
  async (way) => {
    for (
      const read of [
        (request: Request) => request.arrayBuffer(),
        async (request: Request) => (await request.bytes()).buffer,
        (request: Request) => request.clone().arrayBuffer(),
        (request: Request) => new Response(request.body).arrayBuffer(),
      ]
    ) {
      const hasCome = gate();
      await using running = way.run(async (request) => {
        await hasCome.promise;
        return new Response(await read(request));
      });
      using peer = await running.connect();
      await peer.send(concatLarge([
        post(7),
        ...["ab", "cd", "efg", ""].map((piece) => record(STDIN, 1, piece)),
      ]));
      await running.goOn(2);
      hasCome.resolve();
      assertEquals((await peer.answer()).text, "abcdefg");
    }
  },
);

bothWays("a body that is cancelled lets the answer go", async (way) => {
  await using running = way.run(async (request) => {
    const reader = request.body!.getReader();
    await reader.read();
    await reader.cancel();
    return new Response("enough");
  });
  using peer = await running.connect();
  const { text } = await peer.ask(request({ body: someBytes(MIB) }));
  assertEquals(text, "enough");
  assertEquals((await peer.ask(request({ body: "x" }))).text, "enough");
});
