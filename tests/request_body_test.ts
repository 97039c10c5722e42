import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { LimitError, ProtocolError } from "../mod.ts";
import type { ServiceRequest } from "../src/request.ts";
import { ask, latin1 } from "./support/ask.ts";
import type { Question } from "./support/ask.ts";
import { gate, Running } from "./support/running.ts";
import { within } from "./support/peer.ts";
import { randomBytes, seeded } from "./support/random.ts";
import {
  begin,
  concatLarge,
  GET,
  pairs,
  PARAMS,
  record,
} from "./support/wire.ts";
import { request, STDIN, stream } from "./support/wire.ts";

/** What a function makes of the request that a question is. */
async function read<T>(
  of: (request: ServiceRequest) => Promise<T>,
  question: Question,
): Promise<T> {
  let result: Promise<T> | undefined;
  await ask(async (request) => {
    result = of(request);
    await result.catch(() => {});
  }, question);
  if (result === undefined) throw new Error("The service was not called");
  return await result;
}

/** A POST whose body comes in these pieces, a record each. */
function inPieces(pieces: (string | Uint8Array)[], length = -1): Uint8Array {
  const params = { ...GET, REQUEST_METHOD: "POST" };
  return concatLarge([
    begin(),
    stream(
      PARAMS,
      1,
      pairs(
        length < 0 ? params : { ...params, CONTENT_LENGTH: String(length) },
      ),
    ),
    ...pieces.filter((piece) => piece.length > 0).map((piece) =>
      record(STDIN, 1, piece)
    ),
    record(STDIN, 1),
  ]);
}

async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

Deno.test("body gives the bytes as a stream, the same each time", async () => {
  const body = randomBytes(seeded(1), 200_000);
  const [chunks, isSame] = await read(async (request) => {
    const isSame = request.body === request.body;
    return [await gather(request.body), isSame] as const;
  }, { body });
  assertEquals(concatLarge(chunks), body);
  assert(isSame);
});

Deno.test("body of a request without one is an empty stream", async () => {
  assertEquals(await read((request) => gather(request.body), {}), []);
  assertEquals((await read((request) => request.bytes(), {})).length, 0);
  assertEquals(await read((request) => request.text(), {}), "");
  assertEquals(await read((request) => gather(request.lines()), {}), []);
});

Deno.test("body can be cancelled: the rest is dropped, the answer whole", async () => {
  const { text, status } = await ask(async (request, response) => {
    const reader = request.body.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    response.write(`read ${value!.length > 0}`);
  }, { body: new Uint8Array(300_000) });
  assertEquals([status, text], [200, "read true"]);
});

Deno.test("bytes() gives the whole body, however it comes", async () => {
  const body = randomBytes(seeded(2), 1000);
  const pieces = Array.from(body, (byte) => new Uint8Array([byte]));
  assertEquals(
    await read((request) => request.bytes(), inPieces([body])),
    body,
  );
  assertEquals(
    await read((request) => request.bytes(), inPieces(pieces)),
    body,
  );
  assertEquals(
    await read((request) => request.bytes(), inPieces(pieces, 1000)),
    body,
  );
});

Deno.test("bytes() waits for what has not come yet", async () => {
  await using running = new Running(async (request, response) => {
    entered.resolve();
    response.write(await request.bytes());
  });
  const entered = gate();
  using peer = await running.connect();
  const bytes = inPieces(["one ", "two ", "three"], 13);
  await peer.send(bytes.subarray(0, -8 - 13));
  await within(entered.promise, "the service to be called");
  await peer.send(bytes.subarray(-8 - 13));
  assertEquals((await peer.answer()).text, "one two three");
});

Deno.test("bytes() are the application's own: what follows does not change them", async () => {
  const kept: Uint8Array[] = [];
  await using running = new Running(async (request) => {
    kept.push(await request.bytes());
  });
  using peer = await running.connect();
  for (const body of ["first", "other"]) await peer.ask(request({ body }));
  assertEquals(kept.map((one) => new TextDecoder().decode(one)), [
    "first",
    "other",
  ]);
});

Deno.test("text() decodes UTF-8 split anywhere", async () => {
  const text = "žluťoučký \u{1f434} kůň";
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at <= bytes.length; at++) {
    const pieces = [bytes.subarray(0, at), bytes.subarray(at)];
    assertEquals(
      await read((request) => request.text(), inPieces(pieces)),
      text,
    );
  }
});

Deno.test("text() makes U+FFFD of what is no UTF-8", async () => {
  const question = { body: latin1("a\xe9b") };
  assertEquals(await read((request) => request.text(), question), "a\uFFFDb");
});

Deno.test("json() parses the body, and fails with a SyntaxError", async () => {
  const json = (body: string) => read((request) => request.json(), { body });
  assertEquals(await json('{"a":[1,"é",null]}'), { a: [1, "é", null] });
  await assertRejects(() => json("{"), SyntaxError);
});

Deno.test("formData() reads urlencoded and multipart forms", async () => {
  const form = (CONTENT_TYPE: string, body: string) =>
    read((request) => request.formData(), { body, params: { CONTENT_TYPE } });
  const simple = await form(
    "application/x-www-form-urlencoded",
    "a=1&b=%C3%A9&a=2",
  );
  assertEquals([...simple], [["a", "1"], ["b", "é"], ["a", "2"]]);
  const multipart = await form(
    "multipart/form-data; boundary=x",
    '--x\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\n' +
      "Content-Type: text/plain\r\n\r\nfile\r\n" +
      '--x\r\nContent-Disposition: form-data; name="v"\r\n\r\nvalue\r\n--x--\r\n',
  );
  const file = multipart.get("f") as File;
  assertEquals(
    [file.name, file.type, await file.text(), multipart.get("v")],
    ["n.txt", "text/plain", "file", "value"],
  );
  await assertRejects(() => form("text/plain", "a=1"), TypeError);
  await assertRejects(() => form("", "a=1"), TypeError);
});

Deno.test("lines() gives lines without their ends, and a last one without end", async () => {
  const lines = (body: string) =>
    read((request) => gather(request.lines()), { body });
  const long = "x".repeat(150_000);
  for (
    const [body, expected] of [
      ["a\nb\r\nc", ["a", "b", "c"]],
      ["a\n", ["a"]],
      ["\n\r\n\n", ["", "", ""]],
      ["a\rb\r", ["a\rb\r"]],
      ["\r\r\n", ["\r"]],
      [`${long}\r\n${long}`, [long, long]],
    ] as const
  ) assertEquals(await lines(body), [...expected]);
});

Deno.test("lines() gives the same wherever the body is split", async () => {
  const text = "žlutý\r\n\u{1f434}\n\r\nlast";
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at <= bytes.length; at++) {
    const pieces = [bytes.subarray(0, at), bytes.subarray(at)];
    assertEquals(
      await read((request) => gather(request.lines()), inPieces(pieces)),
      ["žlutý", "\u{1f434}", "", "last"],
    );
  }
});

Deno.test("lines() gives a line as soon as it has come", async () => {
  const first = gate<string>();
  await using running = new Running(async (request, response) => {
    for await (const line of request.lines()) {
      first.resolve(line);
      response.write(`[${line}]`);
    }
  });
  using peer = await running.connect();
  const bytes = inPieces(["first\nsec", "ond"]);
  await peer.send(bytes.subarray(0, -8 - 11));
  assertEquals(await within(first.promise, "the first line"), "first");
  await peer.send(bytes.subarray(-8 - 11));
  assertEquals((await peer.answer()).text, "[first][second]");
});

Deno.test("lines() left early drops the rest", async () => {
  const { text } = await ask(async (request, response) => {
    for await (const line of request.lines()) {
      response.write(line);
      break;
    }
  }, { body: "first\n" + "x".repeat(500_000) });
  assertEquals(text, "first");
});

Deno.test("the body is read once, in one of its forms", async () => {
  const forms: ((request: ServiceRequest) => Promise<unknown>)[] = [
    (request) => request.bytes(),
    (request) => request.text(),
    (request) => request.json(),
    (request) => request.formData(),
    (request) => gather(request.lines()),
    (request) => gather(request.body),
  ];
  const question = {
    body: "1=",
    params: { CONTENT_TYPE: "application/x-www-form-urlencoded" },
  };
  for (const first of forms) {
    for (const second of forms) {
      if (first === forms[5] && second === forms[5]) continue;
      await read(async (request) => {
        await first(request).catch((error) =>
          assert(error instanceof SyntaxError)
        );
        await assertRejects(
          async () => await second(request),
          TypeError,
          "it was read already",
        );
      }, question);
    }
  }
});

Deno.test("lines() and body count as read from the call on", async () => {
  await read(async (request) => {
    request.lines();
    assertThrows(() => request.body, TypeError, "it was read already");
    await assertRejects(() => request.text(), TypeError);
  }, { body: "x" });
});

Deno.test("reading a body that is shorter than announced fails, and answers 400", async () => {
  const question = inPieces(["12345"], 10);
  for (
    const form of [
      (request: ServiceRequest) => request.bytes(),
      (request: ServiceRequest) => gather(request.body),
      (request: ServiceRequest) => gather(request.lines()),
    ]
  ) {
    let thrown: unknown;
    const { status } = await ask(async (request) => {
      try {
        await form(request);
      } catch (error) {
        thrown = error;
        throw error;
      }
    }, question);
    assert(thrown instanceof ProtocolError);
    assertEquals([thrown.code, status], ["BODY_TRUNCATED", 400]);
  }
});

Deno.test("reading a body past maxBodyBytes fails, and answers 413", async () => {
  let thrown: unknown;
  const { status } = await ask(
    async (request) => {
      await request.text().catch((error) => {
        thrown = error;
        throw error;
      });
    },
    inPieces(["12345", "67890"]),
    { maxBodyBytes: 9 },
  );
  assert(thrown instanceof LimitError);
  assertEquals([thrown.code, thrown.limit, status], ["BODY_TOO_LARGE", 9, 413]);
});

const MODIFIED = Date.UTC(2026, 0, 2, 3, 4, 5);
const FILTER = {
  role: 3,
  body: "the body",
  data: "the file",
  params: {
    FCGI_DATA_LENGTH: "8",
    FCGI_DATA_LAST_MOD: String(MODIFIED / 1000),
  },
};

Deno.test("data is the file of a Filter, beside the body", async () => {
  const [body, chunks, isSame, length, modified] = await read(
    async (request) =>
      [
        await request.text(),
        await gather(request.data),
        request.data === request.data,
        request.dataLength,
        request.dataLastModified.getTime(),
      ] as const,
    FILTER,
  );
  assertEquals(new TextDecoder().decode(concatLarge(chunks)), "the file");
  assertEquals([body, isSame, length, modified], [
    "the body",
    true,
    8,
    MODIFIED,
  ]);
});

Deno.test("data is empty, its length 0 and its date invalid where there is none", async () => {
  for (
    const params of [{}, { FCGI_DATA_LAST_MOD: "", FCGI_DATA_LENGTH: "x" }]
  ) {
    const [chunks, length, modified] = await read(
      async (request) =>
        [
          await gather(request.data),
          request.dataLength,
          request.dataLastModified.getTime(),
        ] as const,
      { params },
    );
    assertEquals([chunks.length, length, modified], [0, 0, NaN]);
  }
});
