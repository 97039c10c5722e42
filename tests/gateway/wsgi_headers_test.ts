import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { WsgiHeaders } from "../../src/gateway/wsgi_types.ts";
import { answering, askWsgi } from "../support/wsgi.ts";

const PLAIN: WsgiHeaders = [["Content-Type", "text/plain"]];

/** The lines of the header block that an application's headers become. */
async function linesOf(status: string, headers: [string, string][]) {
  return (await askWsgi(answering(() => "", status, headers))).lines;
}

Deno.test("the header block is what startResponse() was given, in its order", async () => {
  const lines = await linesOf("200 OK", [
    ["Set-Cookie", "a=1"],
    ["X-First", "1"],
    ["Set-Cookie", "b=2; Path=/"],
    ["Content-Type", "text/html"],
    ["Set-Cookie", "c=3"],
    ["X-Empty", ""],
    ["X-Latin", "h\u00e9llo"],
  ]);
  assertEquals(lines, [
    "Set-Cookie: a=1",
    "X-First: 1",
    "Set-Cookie: b=2; Path=/",
    "Content-Type: text/html",
    "Set-Cookie: c=3",
    "X-Empty: ",
    "X-Latin: h\u00e9llo",
    "Content-Length: 0",
    "Status: 200 OK",
  ]);
});

Deno.test("nothing is added to the headers but the length", async () => {
  assertEquals(await linesOf("200 OK", []), [
    "Content-Length: 0",
    "Status: 200 OK",
  ]);
});

for (
  const status of [
    "200 OK",
    "200 Fine by me",
    "201 Created",
    "404 Nicht gefunden: h\u00f6chst (bedauerlich)",
    "599 X",
    "299 !",
  ]
) {
  Deno.test(`startResponse() keeps the reason of "${status}"`, async () => {
    assertEquals((await linesOf(status, [])).at(-1), `Status: ${status}`);
  });
}

for (
  const bad of [
    "",
    "200",
    "200 ",
    " 200 OK",
    "99 x",
    "200OK",
    "200  OK",
    "200 OK ",
    "20 OK",
    "2000 OK",
    "abc OK",
    "100 Continue",
    "101 Switching Protocols",
    "199 x",
    "600 x",
    "999 x",
    "200 O\nK",
    "200 OK\r\n",
    "200 OK\r\nX-Injected: 1",
    "200 O\tK",
    "200 O\0K",
    "200 O\x7fK",
    "200 \u20ac",
    "HTTP/1.1 200 OK",
    "\u0662\u0660\u0660 OK",
    200,
    null,
    undefined,
    ["200 OK"],
    new String("200 OK"),
  ]
) {
  Deno.test(`startResponse() refuses the status ${JSON.stringify(bad) ?? bad}`, async () => {
    const { text } = await askWsgi((_, startResponse) => {
      assertThrows(
        () => startResponse(bad as string, PLAIN),
        TypeError,
        "Cannot start a response with",
      );
      // What was refused was not set.
      startResponse("200 OK", PLAIN);
      return "refused";
    });
    assertEquals(text, "refused");
  });
}

for (
  const [bad, says] of [
    [undefined, "headers of type undefined"],
    [null, "headers of type object"],
    ["Content-Type: text/plain", "headers of type string"],
    [{ "Content-Type": "text/plain" }, "headers of type object"],
    [new Headers(PLAIN as [string, string][]), "headers of type object"],
    [new Map([["a", "b"]]), "headers of type object"],
    [["Content-Type: text/plain"], "header 0"],
    [[["a", "b"], ["c"]], "header 1"],
    [[["a", "b", "c"]], "header 0"],
    [[[]], "header 0"],
    [[null], "header 0"],
    [[{ name: "a", value: "b" }], "header 0"],
    // deno-lint-ignore no-sparse-arrays
    [[["a", "b"], , ["c", "d"]], "header 1"],
    [[["a", 1]], "header 0, a string and a number"],
    [[["a", undefined]], "header 0, a string and a undefined"],
    [[[1, "a"]], "header 0, a number and a string"],
    [[["", "x"]], 'named ""'],
    [[["a b", "x"]], 'named "a b"'],
    [[["a:", "x"]], 'named "a:"'],
    [[["a\r\nb", "x"]], "named"],
    [[["\u00e9", "x"]], "named"],
    [[["a", "x\r\nb: y"]], "the header a set to"],
    [[["a", "x\ny"]], "the header a set to"],
    [[["a", "x\0"]], "the header a set to"],
    [[["a", "x\ty"]], "the header a set to"],
    [[["a", "x\x7f"]], "the header a set to"],
    [[["a", "\u20ac"]], "the header a set to"],
    [[["Status", "200 OK"]], "Status"],
    [[["Content-Length", "1"], ["content-length", "1"]], "two Content-Length"],
    [[["Content-Length", "-1"]], "Content-Length"],
    [[["Content-Length", "1e3"]], "Content-Length"],
    [[["Content-Length", ""]], "Content-Length"],
    [[["Content-Length", " 1"]], "Content-Length"],
    ...[
      "Connection",
      "connection",
      "Keep-Alive",
      "Proxy-Authenticate",
      "Proxy-Authorization",
      "Proxy-Connection",
      "TE",
      "Trailer",
      "Trailers",
      "Transfer-Encoding",
      "Upgrade",
    ].map((name) => [[["X-Fine", "1"], [name, "x"]], "hop-by-hop"]),
  ] as [unknown, string][]
) {
  Deno.test(`startResponse() refuses the headers ${JSON.stringify(bad)}: ${says}`, async () => {
    const { text } = await askWsgi((_, startResponse) => {
      // Twice: what was refused is not remembered as fine.
      for (let i = 0; i < 2; i++) {
        assertThrows(
          () => startResponse("200 OK", bad as WsgiHeaders),
          TypeError,
          says,
        );
      }
      startResponse("200 OK", PLAIN);
      return "refused";
    });
    assertEquals(text, "refused");
  });
}

Deno.test("startResponse() does not take one list of headers for another", async () => {
  // Joined in the naive ways, each of these reads as the one before.
  const lists: [string, [string, string][]][] = [
    ["200 OK", [["A", "b"], ["C", "d"]]],
    ["200 OK", [["A", "b, C: d"]]],
    ["200 OK", [["A", "b:C"], ["D", "e"]]],
    ["200 OK", [["A", "b"], ["C", "D:e"]]],
    ["200 OK A", [["B", "c"]]],
    ["200 OK", [["A", "B"]]],
    ["200 OK", [["AB", ""]]],
    ["200 OK", [["A", ""], ["B", ""]]],
    ["200 OK", [["A", "x"]]],
    ["200 OK", [["B", "x"]]],
    ["200 OK", [["B", "B"]]],
    ["201 OK", [["B", "x"]]],
  ];
  for (let round = 0; round < 2; round++) {
    for (const [status, headers] of lists) {
      assertEquals(await linesOf(status, headers), [
        ...headers.map(([name, value]) =>
          `${name[0]}${name.slice(1).toLowerCase()}: ${value}`
        ),
        "Content-Length: 0",
        `Status: ${status}`,
      ]);
    }
  }
  const { text } = await askWsgi((_, startResponse) => {
    for (
      const bad of [[["A", "b\nC\nd"]], [["A\nb", "C"], ["d", ""]]] as [
        string,
        string,
      ][][]
    ) assertThrows(() => startResponse("200 OK", bad), TypeError);
    assertThrows(
      () => startResponse("200 OK\nA", [["b", "C"]]),
      TypeError,
    );
    startResponse("200 OK", PLAIN);
    return "refused";
  });
  assertEquals(text, "refused");
});

Deno.test("many different headers are told apart", async () => {
  const headers = Array.from(
    { length: 600 },
    (_, i) => [["X-Number", `${i}`]] as [string, string][],
  );
  let i = 0;
  const { lines } = await askWsgi((_, startResponse) => {
    let refused: unknown;
    for (; i < headers.length; i++) {
      startResponse("200 OK", headers[i]!, refused);
      refused = new Error("again");
    }
    return "";
  });
  assertEquals([i, lines[0]], [600, "X-Number: 599"]);
});

Deno.test("headers of an application that changes its array are those of the call", async () => {
  const headers: [string, string][] = [["X-Name", "one"]];
  const texts = [];
  for (const value of ["two", "three"]) {
    const { headers: sent } = await askWsgi((_, startResponse) => {
      startResponse("200 OK", headers);
      headers[0]![1] = value;
      return "";
    });
    texts.push(sent["x-name"]);
  }
  assertEquals(texts, ["one", "two"]);
});

Deno.test("events are told not to be held back, unless the application says", async () => {
  const events: [string, string] = ["Content-Type", "text/event-stream"];
  assertStringIncludes(
    (await linesOf("200 OK", [events])).join("\n"),
    "X-Accel-Buffering: no",
  );
  assertStringIncludes(
    (await linesOf("200 OK", [events, ["X-Accel-Buffering", "yes"]]))
      .join("\n"),
    "X-Accel-Buffering: yes",
  );
});
