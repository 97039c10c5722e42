// The slow log: what is told of a request that is not answered in time.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { askOn } from "../support/ask.ts";
import { DEADLINE_MS } from "../support/peer.ts";
import { gate, Running } from "../support/running.ts";
import {
  begin,
  pairs,
  PARAMS,
  request,
  STDIN,
  stream,
} from "../support/wire.ts";

/** Lets the server run until it has logged so much. */
async function untilLogged(running: Running, count = 1): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (running.logged.length < count) {
    assert(performance.now() < end, "nothing was logged");
    await running.goOn(1);
  }
}

/** Runs a service that waits until its slowness was told; gives what was. */
async function told(
  wait: (release: Promise<void>) => Promise<unknown>,
  params: Record<string, string> = {},
): Promise<string> {
  const release = gate();
  await using running = new Running(async (_, response) => {
    await wait(release.promise);
    response.write("hello");
  }, { slowLogMs: 50 });
  using peer = await running.connect();
  const answer = askOn(peer, { params });
  await untilLogged(running);
  release.resolve();
  assertEquals((await answer).text, "hello");
  assertEquals(running.logged.length, 1);
  return running.logged[0]!;
}

async function queryDatabase(answer: Promise<void>): Promise<string> {
  await answer;
  return "row";
}

async function findUser(answer: Promise<void>): Promise<string> {
  return await queryDatabase(answer);
}

Deno.test("slowLogMs tells the request, how long, and the stack of what it waits for", async () => {
  const text = await told(findUser, {
    REQUEST_METHOD: "GET",
    REQUEST_URI: "/users/1?full",
    REQUEST_ID: "abc",
  });
  assertMatch(
    text,
    /^smisk: Slow request, \d+ ms so far: GET \/users\/1\?full from 192\.0\.2\.1 \[abc\]\. It waits here, for \d+ ms:\n/,
  );
  const frames = text.split("\n").slice(1);
  assertMatch(
    frames[0]!,
    /^ +at queryDatabase \(.*slow_log_test\.ts:\d+:\d+\)$/,
  );
  assertMatch(frames[1]!, /^ +at (?:async )?findUser \(.*slow_log_test\.ts/);
  for (const frame of frames) {
    assertEquals(frame.includes("src/observe/"), false, text);
  }
});

Deno.test("slowLogMs tells where a request waits that has waited before", async () => {
  const text = await told(async function waitTwice(release) {
    await findUser(Promise.resolve());
    // Begun, and not awaited.
    const other = findGroup(release);
    await findUser(release);
    await other;
  });
  const frames = text.split("\n").slice(1);
  const names = frames.map((frame) => /at (?:async )?(\w+)/.exec(frame)?.[1]);
  assertEquals(names.slice(0, 3), ["queryDatabase", "findUser", "waitTwice"]);
});

async function findGroup(answer: Promise<void>): Promise<void> {
  await answer;
}

Deno.test("slowLogMs tells where a request waits that made its promise itself", async () => {
  const text = await told(function callback(release) {
    return new Promise<void>((resolve) => {
      release.then(resolve);
    });
  });
  assertMatch(text, /\n +at callback \(.*slow_log_test\.ts/);
});

Deno.test("slowLogMs lets no request break its line", async () => {
  const text = await told(findUser, {
    REQUEST_URI: '/"\r\nsmisk: forged\x1b[2J',
    REQUEST_ID: "a\nb",
  });
  const [line] = text.split("\n");
  assertMatch(line!, /^[ -~]*$/);
  assertEquals(text.includes("\nsmisk"), false);
});

Deno.test("slowLogMs tells of each of many requests that wait, the oldest first, once", async () => {
  const release = gate();
  await using running = new Running(async () => {
    await release.promise;
  }, { slowLogMs: 30 });
  using peer = await running.connect();
  for (let id = 1; id <= 20; id++) {
    const params = { REQUEST_URI: `/${id}` };
    await peer.send(request({ id, params }));
  }
  await untilLogged(running, 20);
  release.resolve();
  for (let id = 1; id <= 20; id++) await peer.answer(id);
  const paths = running.logged.map((line) => /GET \/(\d+) /.exec(line)?.[1]);
  assertEquals(paths, Array.from({ length: 20 }, (_, i) => String(i + 1)));
});

Deno.test("slowLogMs tells that a request waits for its body", async () => {
  await using running = new Running(async (request, response) => {
    response.write(await request.text());
  }, { slowLogMs: 30 });
  using peer = await running.connect();
  await peer.send(
    begin(),
    stream(
      PARAMS,
      1,
      pairs({ REQUEST_METHOD: "POST", REQUEST_URI: "/", CONTENT_LENGTH: "2" }),
    ),
  );
  await untilLogged(running);
  await peer.send(stream(STDIN, 1, "ab"));
  assertEquals((await peer.answer()).text, "ab");
  assertMatch(
    running.logged[0]!,
    /from -\. It waits for its body\. It waits here/,
  );
});

Deno.test("slowLogMs tells of a service that gave the thread back too late", async () => {
  await using running = new Running((_, response) => {
    const end = performance.now() + 60;
    while (performance.now() < end);
    response.write("hello");
  }, { slowLogMs: 30 });
  using peer = await running.connect();
  assertEquals((await askOn(peer)).text, "hello");
  await untilLogged(running);
  assertEquals(running.logged.length, 1);
  assertMatch(
    running.logged[0]!,
    /^smisk: Slow request, \d+ ms: GET \/ from 192\.0\.2\.1\. It was over before it could be told/,
  );
});

Deno.test("slowLogMs tells nothing of requests that are answered in time, given up or pinged", async () => {
  const aborted = gate();
  await using running = new Running(async (request, response) => {
    if (request.url.pathname !== "/wait") {
      await Promise.resolve();
      response.write("hello");
      return;
    }
    request.signal.addEventListener("abort", () => aborted.resolve());
    await aborted.promise;
  }, { slowLogMs: 60_000, pingPath: "/ping" });
  using peer = await running.connect();
  for (const path of ["/", "/ping", "/"]) {
    const answer = await askOn(peer, { params: { REQUEST_URI: path } });
    assertEquals(answer.status, 200);
  }
  using other = await running.connect();
  await other.send(request({ params: { REQUEST_URI: "/wait" } }));
  await running.goOn(5);
  other.close();
  await aborted.promise;
  assertEquals(running.logged, []);
});

Deno.test("slowLogMs keeps this.request right in requests that interleave", async () => {
  const order: string[] = [];
  const gates = [gate(), gate()];
  await using running = new Running(async (request, response) => {
    const index = Number(request.query.get("n"));
    await gates[index]!.promise;
    order.push(running.app.request.query.get("n")!);
    response.write(String(index));
  }, { slowLogMs: 60_000 });
  using peer = await running.connect();
  for (const n of [0, 1]) {
    const params = { REQUEST_URI: `/?n=${n}`, QUERY_STRING: `n=${n}` };
    await peer.send(request({ id: n + 1, params }));
  }
  await running.goOn(2);
  gates[1]!.resolve();
  assertEquals((await peer.answer(2)).text, "1");
  gates[0]!.resolve();
  assertEquals((await peer.answer(1)).text, "0");
  assertEquals(order, ["1", "0"]);
});
