import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { HttpError } from "../../mod.ts";
import { ask } from "../support/ask.ts";
import { askFile, Files, LONG_AGO, LONG_AGO_TEXT, noise } from "./folder.ts";

Deno.test("sendFile() sends a file with what is to be said of it", async () => {
  using files = new Files();
  const path = files.write("hello.txt", "Hello file\n");
  const { status, headers, text, appStatus } = await askFile(path);
  assertEquals([status, text, appStatus], [200, "Hello file\n", 0]);
  assertEquals(headers, {
    "accept-ranges": "bytes",
    "content-type": "text/plain; charset=utf-8",
    "etag": `"b-${LONG_AGO.getTime().toString(16)}"`,
    "last-modified": LONG_AGO_TEXT,
    "x-content-type-options": "nosniff",
    "content-length": "11",
    "status": "200 OK",
  });
});

Deno.test("sendFile() sends files of any length whole", async () => {
  using files = new Files();
  const KIB = 1024;
  for (
    const length of [
      0,
      1,
      64 * KIB - 1,
      64 * KIB,
      64 * KIB + 1,
      128 * KIB - 1,
      128 * KIB,
      128 * KIB + 1,
      256 * KIB,
      256 * KIB + 1,
      5_000_000,
    ]
  ) {
    const content = noise(length);
    const path = files.write("some.bin", content);
    const { status, headers, body } = await askFile(path);
    assertEquals([status, headers["content-length"]], [200, String(length)]);
    assert(body.length === length && body.every((b, i) => b === content[i]));
  }
});

Deno.test("sendFile() answers HEAD as GET, without the file", async () => {
  using files = new Files();
  for (const content of ["", "Hello", noise(300_000)]) {
    const path = files.write("hello.bin", content);
    const get = await askFile(path);
    const params = { REQUEST_METHOD: "HEAD", HTTP_RANGE: "bytes=1-2" };
    const head = await askFile(path, { params });
    assertEquals(head.headers, get.headers);
    assertEquals([head.status, head.body.length], [200, 0]);
  }
});

Deno.test("sendFile() takes a file: URL, and a path below the working directory", async () => {
  using files = new Files();
  const path = files.write("a b%é.txt", "found");
  const url = new URL("file:///");
  url.pathname = path.replaceAll("%", "%25");
  assertEquals((await askFile(url)).text, "found");
  const source = await askFile("deno.json");
  assertEquals(source.text, await Deno.readTextFile("deno.json"));
});

Deno.test("sendFile() of a URL that is no file's, without a root, is a mistake", async () => {
  const { status, stderr } = await askFile(new URL("http://test/etc/passwd"));
  assertEquals(status, 500);
  assertStringIncludes(
    stderr,
    'TypeError: Cannot send "http://test/etc/passwd" without a root',
  );
});

Deno.test("sendFile() keeps the headers that were set, but for the length", async () => {
  using files = new Files();
  const path = files.write("hello.txt", "Hello");
  const { status, headers } = await ask((_, response) => {
    response.headers.set("content-type", "text/x-own");
    response.headers.set("cache-control", "max-age=60");
    response.headers.set("content-length", "4");
    response.headers.set("etag", '"own"');
    response.headers.set("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT");
    response.headers.set("x-content-type-options", "other");
    response.setCookie("a", "b");
    return response.sendFile(path);
  });
  assertEquals(status, 200);
  assertEquals(headers["content-type"], "text/x-own");
  assertEquals(headers["cache-control"], "max-age=60");
  assertEquals(headers["content-length"], "5");
  assertEquals(headers["etag"], '"own"');
  assertEquals(headers["last-modified"], "Mon, 01 Jan 2024 00:00:00 GMT");
  assertEquals(headers["x-content-type-options"], "other");
  assertMatch(headers["set-cookie"]!, /^a=b/);
});

Deno.test("sendFile() compares conditions with the validators that were set", async () => {
  using files = new Files();
  const path = files.write("hello.txt", "Hello");
  const statusOf = async (params: Record<string, string>) => {
    const { status } = await ask((_, response) => {
      response.headers.set("etag", '"own"');
      return response.sendFile(path);
    }, { params });
    return status;
  };
  assertEquals(await statusOf({ HTTP_IF_NONE_MATCH: '"own"' }), 304);
  assertEquals(await statusOf({ HTTP_IF_MATCH: '"other"' }), 412);
});

Deno.test("contentType is sent as it is, and download as a name", async () => {
  using files = new Files();
  const path = files.write("hello.txt", "Hello");
  for (
    const [send, type, disposition] of [
      [{}, "text/plain; charset=utf-8", undefined],
      [
        { contentType: "text/html; charset=utf-8" },
        "text/html; charset=utf-8",
        undefined,
      ],
      [{ download: false }, "text/plain; charset=utf-8", undefined],
      [
        { download: true },
        "text/plain; charset=utf-8",
        'attachment; filename="hello.txt"',
      ],
      [
        { download: 'my "é"' },
        "text/plain; charset=utf-8",
        'attachment; filename="my \\"_\\""; filename*=UTF-8\'\'my%20%22%C3%A9%22',
      ],
    ] as const
  ) {
    const { headers } = await askFile(path, { send });
    assertEquals(headers["content-type"], type);
    assertEquals(headers["content-disposition"], disposition);
  }
});

Deno.test("contentType that cannot stand in a header is an error, and nothing is sent", async () => {
  using files = new Files();
  const path = files.write("hello.txt", "Hello");
  const send = { contentType: "a\r\nSet-Cookie: b=c" };
  const { status, headers, text } = await askFile(path, { send });
  assertEquals([status, headers["set-cookie"]], [500, undefined]);
  assertEquals(text.includes("Hello"), false);
});

Deno.test("the entity tag is weak while the file may change unnoticed", async () => {
  using files = new Files();
  const path = files.write("hello.txt", "Hello", new Date());
  const { headers } = await askFile(path);
  assertMatch(headers.etag!, /^W\/"5-[0-9a-f]+"$/);
  const params = { HTTP_RANGE: "bytes=0-0", HTTP_IF_RANGE: headers.etag! };
  assertEquals((await askFile(path, { params })).status, 200);
  const again = { HTTP_IF_NONE_MATCH: headers.etag! };
  assertEquals((await askFile(path, { params: again })).status, 304);
});

Deno.test("the entity tag tells one state of a file from the next", async () => {
  using files = new Files();
  const tags = new Set<string>();
  for (
    const [content, time] of [
      ["Hello", 0],
      ["Hello", 1],
      ["Hello!", 0],
    ] as const
  ) {
    const modified = new Date(LONG_AGO.getTime() + time);
    const path = files.write("hello.txt", content, modified);
    tags.add((await askFile(path)).headers.etag!);
  }
  assertEquals(tags.size, 3);
});

Deno.test("Last-Modified is never later than the answer", async () => {
  using files = new Files();
  const future = new Date(Date.now() + 24 * 60 * 60 * 1000);
  const { headers } = await askFile(files.write("a.txt", "a", future));
  assert(Date.parse(headers["last-modified"]!) <= Date.now());
  assertMatch(headers.etag!, /^W\//);
});

Deno.test("sendFile() of what is no file answers 404, and logs nothing", async () => {
  using files = new Files();
  files.write("sub/a", "a");
  for (
    const path of [
      "nothing",
      "sub",
      "sub/",
      "sub/a/",
      "sub/a/b",
      "x".repeat(300),
      "x".repeat(5000),
      "sub/a\0",
      "",
    ]
  ) {
    const { status, text, stderr, logged } = await askFile(
      `${files.path}/${path}`,
    );
    assertEquals([status, stderr, logged], [404, "", []], path);
    assertStringIncludes(text, "There is no such file");
    assertEquals(text.includes(files.path), false, "the path is told");
  }
});

Deno.test("sendFile() is sent whole with another status, whatever is asked", async () => {
  using files = new Files();
  const path = files.write("404.html", "<p>Nothing here");
  const { status, headers, text } = await ask((_, response) => {
    response.status = 404;
    return response.sendFile(path);
  }, {
    params: {
      HTTP_RANGE: "bytes=0-0",
      HTTP_IF_MODIFIED_SINCE: LONG_AGO_TEXT,
      HTTP_IF_MATCH: '"x"',
    },
  });
  assertEquals([status, text], [404, "<p>Nothing here"]);
  assertEquals(headers["content-type"], "text/html; charset=utf-8");
  assertEquals(headers.etag, undefined);
  assertEquals(headers["accept-ranges"], undefined);
});

Deno.test("sendFile() is sent whole in answer to POST, and by an Authorizer", async () => {
  using files = new Files();
  const path = files.write("a.txt", "whole");
  const params = {
    HTTP_RANGE: "bytes=0-0",
    HTTP_IF_MODIFIED_SINCE: LONG_AGO_TEXT,
  };
  const post = await askFile(path, {
    params: { ...params, REQUEST_METHOD: "POST" },
  });
  assertEquals([post.status, post.text], [200, "whole"]);
  const denied = await ask(
    (_, response) => response.sendFile(path),
    { role: 2, params },
  );
  assertEquals([denied.status, denied.text], [403, "whole"]);
});

Deno.test("sendFile() need not be awaited", async () => {
  using files = new Files();
  const content = noise(1_000_000);
  const path = files.write("a.bin", content);
  const found = await ask((_, response) => void response.sendFile(path));
  assertEquals([found.status, found.body.length], [200, content.length]);
  const missing = await ask((_, response) =>
    void response.sendFile("/nothing")
  );
  assertEquals([missing.status, missing.logged], [404, []]);
});

Deno.test("sendFile() that nobody awaits answers its failure, and crashes nothing", async () => {
  const { status, text, logged } = await ask(async (_, response) => {
    response.sendFile("/nothing");
    // Meanwhile it fails, and the runtime looks for promises nobody handles.
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  });
  assertEquals([status, logged], [404, []]);
  assertStringIncludes(text, "There is no such file");
});

Deno.test("sendFile() that failed lets the service answer otherwise", async () => {
  for (const status of [200, 404]) {
    const answer = await ask(async (_, response) => {
      try {
        await response.sendFile("/nothing");
      } catch (error) {
        if (!(error instanceof HttpError)) throw error;
        if (status === 404) response.status = 404;
        else response.write("something else");
      }
    });
    assertEquals(answer.status, status);
    assertEquals(answer.text, status === 404 ? "" : "something else");
  }
});

Deno.test("sendFile() can be tried again once it has failed", async () => {
  using files = new Files();
  const path = files.write("a.txt", "second");
  const { status, text } = await ask(async (_, response) => {
    await response.sendFile("/nothing").catch(() => {});
    await response.sendFile(path);
  });
  assertEquals([status, text], [200, "second"]);
});

Deno.test("sendFile() answers from error()", async () => {
  using files = new Files();
  const path = files.write("500.html", "<p>Sorry");
  const { status, text, headers } = await ask(
    () => {
      throw new Error("deliberate");
    },
    {},
    { error: (_error, _request, response) => response.sendFile(path) },
  );
  assertEquals([status, text], [500, "<p>Sorry"]);
  assertEquals(headers["content-type"], "text/html; charset=utf-8");
});

Deno.test("sendFile() that fails in error() leaves a minimal 500", async () => {
  for (const isAwaited of [true, false]) {
    const { status, text, logged } = await ask(
      () => {
        throw new Error("first");
      },
      {},
      {
        error: (_error, _request, response) => {
          const sent = response.sendFile("/nothing");
          return isAwaited ? sent : undefined;
        },
      },
    );
    assertEquals([status, text], [500, "500 Internal Server Error\n"]);
    assertStringIncludes(logged.join("\n"), "There is no such file");
    assertStringIncludes(logged.join("\n"), "Error: first");
  }
});

Deno.test("sendFile() after the begin, or twice at once, is a mistake", async () => {
  using files = new Files();
  const path = files.write("a.txt", "a");
  const { text } = await ask(async (_, response) => {
    const first = response.sendFile(path);
    assertThrows(() => void response.sendFile(path), TypeError, "Cannot send");
    await first;
    assertThrows(() => void response.sendFile(path), TypeError, "Cannot send");
    assertThrows(() => response.status = 404, TypeError);
  });
  assertEquals(text, "a");
});

Deno.test("an error of the service has precedence over a file under way", async () => {
  using files = new Files();
  const path = files.write("a.txt", "the file");
  const { status, text, logged } = await ask((_, response) => {
    response.sendFile(path);
    throw new HttpError(403, "not for you");
  });
  assertEquals([status, logged], [403, []]);
  assertStringIncludes(text, "not for you");
  assertEquals(text.includes("the file"), false);
});

Deno.test("what is written while a file is opened does not become part of it", async () => {
  using files = new Files();
  const path = files.write("a.txt", "the file");
  const { status, text } = await ask((_, response) => {
    response.sendFile(path);
    response.write("something else");
  });
  assertEquals(status, 500);
  assertEquals(text.includes("the file"), false);
});
