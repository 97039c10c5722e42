import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { ServiceResponse } from "../src/response.ts";
import { ask } from "./support/ask.ts";
import { Running } from "./support/running.ts";
import { request } from "./support/wire.ts";

/** The answer to what a function does to the response. */
function answerTo(of: (response: ServiceResponse) => void) {
  return ask((_, response) => of(response));
}

Deno.test("status is 200 by default, and what it is set to", async () => {
  const { lines } = await answerTo((response) => {
    assertEquals([response.status, response.statusText], [200, ""]);
  });
  assertEquals(lines.at(-1), "Status: 200 OK");
  for (
    const [status, line] of [
      [201, "201 Created"],
      [404, "404 Not Found"],
      [299, "299 OK"],
      [599, "599 Internal Server Error"],
    ] as const
  ) {
    const { lines } = await answerTo((response) => {
      response.status = status;
      assertEquals(response.status, status);
    });
    assertEquals(lines.at(-1), `Status: ${line}`);
  }
});

Deno.test("status refuses at once what is none, and stays", async () => {
  const { status } = await answerTo((response) => {
    response.status = 202;
    for (const bad of [0, 99, 100, 103, 199, 600, 200.5, NaN, -1, Infinity]) {
      assertThrows(
        () => {
          response.status = bad;
        },
        RangeError,
        `current value is ${bad}`,
      );
    }
    assertThrows(() => {
      response.status = "404" as unknown as number;
    }, RangeError);
  });
  assertEquals(status, 202);
});

Deno.test("statusText replaces the reason, and refuses what would break its line", async () => {
  const { lines } = await answerTo((response) => {
    response.statusText = "Très bien\t!";
    for (const bad of ["a\nb", "a\rb", "a\0b", "日", "\x7f", "a\r\nX: y"]) {
      assertThrows(
        () => {
          response.statusText = bad;
        },
        TypeError,
        JSON.stringify(bad),
      );
    }
  });
  assertEquals(lines.at(-1), "Status: 200 Très bien\t!");
});

Deno.test("statusText of nothing but space is the registered reason", async () => {
  const { lines } = await answerTo((response) => {
    response.status = 404;
    response.statusText = "  ";
  });
  assertEquals(lines.at(-1), "Status: 404 Not Found");
});

Deno.test("headers have the default Content-Type, and are the same object each time", async () => {
  const { lines } = await answerTo((response) => {
    assertEquals([...response.headers], [
      ["content-type", "text/html; charset=utf-8"],
    ]);
    assertStrictEquals(response.headers, response.headers);
    response.headers.set("Content-Type", "image/png");
    response.headers.set("X-A", "\xe9");
    response.headers.append("X-A", "2");
  });
  assertEquals(lines, [
    "Content-Type: image/png",
    "X-A: \xe9, 2",
    "Content-Length: 0",
    "Status: 200 OK",
  ]);
});

Deno.test("headers without Content-Type send none", async () => {
  const { headers } = await answerTo((response) => {
    response.headers.delete("content-type");
    response.write("?");
  });
  assertEquals(headers["content-type"], undefined);
});

Deno.test("headers refuse names and values that would break their line", async () => {
  const { lines } = await answerTo((response) => {
    for (const value of ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "日"]) {
      assertThrows(() => response.headers.set("x-a", value), TypeError);
      assertThrows(() => response.headers.append("x-a", value), TypeError);
    }
    for (const name of ["", "a b", "a:b", "a\r\nb", "é"]) {
      assertThrows(() => response.headers.set(name, "x"), TypeError);
    }
  });
  assertEquals(lines, [
    "Content-Type: text/html; charset=utf-8",
    "Content-Length: 0",
    "Status: 200 OK",
  ]);
});

Deno.test("headers of every Headers method refuse after the begin, held before or got after", async () => {
  for (
    const prepare of [
      () => {},
      (response: ServiceResponse) => void response.headers,
      (response: ServiceResponse) => void (response.status = 404),
      (response: ServiceResponse) => void response.headers.set("x-a", "1"),
    ]
  ) {
    for (const isHeld of [false, true]) {
      const { headers } = await answerTo((response) => {
        prepare(response);
        const held = isHeld ? response.headers : null;
        response.begin();
        const headers = held ?? response.headers;
        const refused = [
          () => headers.set("x-late", "1"),
          () => headers.append("x-late", "1"),
          () => headers.delete("content-type"),
          () => response.setCookie("late", "1"),
          () => response.deleteCookie("late"),
          () => response.redirect("/late"),
          () => void (response.status = 500),
          () => void (response.statusText = "Late"),
        ];
        for (const one of refused) {
          assertThrows(one, TypeError, "after the response has begun");
        }
        assertEquals(
          headers.get("content-type"),
          "text/html; charset=utf-8",
        );
      });
      assertEquals(headers["x-late"], undefined);
      assertEquals(headers.location, undefined);
    }
  }
});

Deno.test("headers are fixed by a write, a flush and a stream as by begin()", async () => {
  for (
    const begin of [
      (response: ServiceResponse) => void response.write(""),
      (response: ServiceResponse) => void response.flush(),
      (response: ServiceResponse) => void response.json(null),
    ]
  ) {
    await answerTo((response) => {
      assertEquals(response.hasBegun, false);
      begin(response);
      assertEquals(response.hasBegun, true);
      assertThrows(() => response.headers.set("x", "1"), TypeError);
      assertThrows(() => response.begin(), TypeError, "it has begun already");
    });
  }
});

Deno.test("several Set-Cookie stay several, and readable after the begin", async () => {
  const { headers } = await answerTo((response) => {
    response.setCookie("a", "1");
    response.setCookie("b", "2");
    response.setCookie("a", "3", { path: "/x" });
    response.begin();
    assertEquals(response.headers.getSetCookie(), [
      "a=1; Path=/",
      "b=2; Path=/",
      "a=3; Path=/x",
    ]);
  });
  assertEquals(headers["set-cookie"], "a=1; Path=/\nb=2; Path=/\na=3; Path=/x");
});

Deno.test("setCookie() writes every attribute", async () => {
  const { headers } = await answerTo((response) =>
    response.setCookie("id", 'a;b="é', {
      domain: "example.org",
      expires: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
      httpOnly: true,
      maxAge: 60,
      partitioned: true,
      path: "/a b",
      sameSite: "none",
      secure: true,
    })
  );
  assertEquals(
    headers["set-cookie"],
    "id=a%3Bb%3D%22%C3%A9; Max-Age=60; Domain=example.org; Path=/a b; " +
      "Expires=Fri, 02 Jan 2026 03:04:05 GMT; HttpOnly; Secure; Partitioned; " +
      "SameSite=None",
  );
});

Deno.test("setCookie() refuses what would inject an attribute or a line", async () => {
  const { headers } = await answerTo((response) => {
    for (const name of ["", "a=b", "a;b", "a b", "a\r\nb", "é"]) {
      assertThrows(() => response.setCookie(name, "x"), TypeError, "a token");
    }
    for (const bad of ["/; Secure", "/\r\nX: y", "/\0", "/é"]) {
      assertThrows(
        () => response.setCookie("a", "x", { path: bad }),
        TypeError,
      );
      assertThrows(
        () => response.setCookie("a", "x", { domain: bad }),
        TypeError,
      );
    }
    const lax = "Lax; Secure" as "lax";
    assertThrows(
      () => response.setCookie("a", "x", { sameSite: lax }),
      TypeError,
    );
    for (const maxAge of [1.5, NaN, Infinity]) {
      assertThrows(() => response.setCookie("a", "x", { maxAge }), RangeError);
    }
    assertThrows(
      () => response.setCookie("a", "x", { expires: new Date(NaN) }),
      RangeError,
    );
    response.setCookie("v", "a\r\nb; Secure");
  });
  assertEquals(
    headers["set-cookie"],
    "v=a%0D%0Ab%3B%20Secure; Path=/",
  );
});

Deno.test("setCookie() values come back as request.cookies", async () => {
  const value = ' "é";\r\n%41,=\u{1f36a}';
  await using running = new Running((request, response) => {
    response.setCookie("v", value);
    response.json(request.cookies.v ?? null);
  });
  using peer = await running.connect();
  const { headers } = await peer.ask(request());
  const HTTP_COOKIE = headers["set-cookie"]!.split(";")[0]!;
  const { text } = await peer.ask(request({ params: { HTTP_COOKIE } }));
  assertEquals(JSON.parse(text), value);
});

Deno.test("deleteCookie() lets the cookie expire, with its attributes", async () => {
  const { headers } = await answerTo((response) => {
    response.deleteCookie("a");
    response.deleteCookie("__Host-b", { secure: true });
    response.deleteCookie("c", { path: "/p", domain: "example.org" });
  });
  const expires = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
  assertEquals(headers["set-cookie"]!.split("\n"), [
    `a=; Max-Age=0; Path=/; ${expires}`,
    `__Host-b=; Max-Age=0; Path=/; ${expires}; Secure`,
    `c=; Max-Age=0; Domain=example.org; Path=/p; ${expires}`,
  ]);
});

Deno.test("redirect() sends every kind of redirect, with an empty body", async () => {
  for (
    const [status, line] of [
      [301, "301 Moved Permanently"],
      [302, "302 Found"],
      [303, "303 See Other"],
      [307, "307 Temporary Redirect"],
      [308, "308 Permanent Redirect"],
    ] as const
  ) {
    const { headers, text } = await answerTo((response) =>
      response.redirect("/there?a=1#b", status)
    );
    assertEquals([headers.status, headers.location, text], [
      line,
      "/there?a=1#b",
      "",
    ]);
  }
  const { status } = await answerTo((response) => response.redirect("/"));
  assertEquals(status, 302);
});

Deno.test("redirect() refuses what is none, and changes nothing then", async () => {
  const { status, headers } = await answerTo((response) => {
    for (const bad of [200, 300, 304, 305, 306, 309, 404]) {
      assertThrows(() => response.redirect("/x", bad), RangeError, `${bad}`);
    }
    for (const bad of ["/\r\nSet-Cookie: a=1", "/\nx", "/\0", "/\t/host"]) {
      assertThrows(() => response.redirect(bad), TypeError, "control char");
    }
  });
  assertEquals([status, headers.location], [200, undefined]);
});

Deno.test("redirect() escapes what no address may hold", async () => {
  for (
    const [address, location] of [
      ["", ""],
      ["b?c", "b?c"],
      ["//host/x", "//host/x"],
      ["/a b/ü?q=\u{1f434}#ž", "/a%20b/%C3%BC?q=%F0%9F%90%B4#%C5%BE"],
      ["/%C3%BC%zz", "/%C3%BC%zz"],
      ['/"<>\\^`{|}', "/%22%3C%3E%5C%5E%60%7B%7C%7D"],
      ["/\ud800", "/%EF%BF%BD"],
      ["https://[::1]:8/x", "https://[::1]:8/x"],
      ["https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"],
      [
        new URL("https://bücher.example/ü"),
        "https://xn--bcher-kva.example/%C3%BC",
      ],
    ] as const
  ) {
    const { headers } = await answerTo((response) =>
      response.redirect(address)
    );
    assertEquals(headers.location, location);
  }
});

Deno.test("redirect() can still be given a body", async () => {
  const { status, text } = await answerTo((response) => {
    response.redirect("/there");
    response.write("Over there");
  });
  assertEquals([status, text], [302, "Over there"]);
});

Deno.test("appStatus is that of FCGI_END_REQUEST, 32 bits", async () => {
  for (
    const [set, got] of [[0, 0], [7, 7], [0xffffffff, 0xffffffff], [
      -1,
      0xffffffff,
    ]] as const
  ) {
    const { appStatus, status } = await answerTo((response) => {
      assertEquals(response.appStatus, 0);
      response.appStatus = set;
      assertEquals(response.appStatus, got);
    });
    assertEquals([appStatus, status], [got, 200]);
  }
});

Deno.test("appStatus can be set after the begin", async () => {
  const { appStatus } = await answerTo((response) => {
    response.write("x");
    response.appStatus = 3;
  });
  assertEquals(appStatus, 3);
});

Deno.test("a status without body has no default Content-Type, but one that was set", async () => {
  for (const status of [204, 205, 304]) {
    const without = await answerTo((response) => {
      response.status = status;
    });
    assertEquals(without.headers["content-type"], undefined);
    const set = await answerTo((response) => {
      response.status = status;
      response.headers.set("content-type", "image/png");
      response.headers.set("etag", '"1"');
    });
    assertEquals(
      [set.headers["content-type"], set.headers.etag, set.body.length],
      ["image/png", '"1"', 0],
    );
  }
});
