import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Application } from "../mod.ts";
import type { ServiceRequest } from "../src/request.ts";
import { RequestScope } from "../src/scope.ts";
import { gate } from "./support/running.ts";
import { Peer, within } from "./support/peer.ts";
import { seeded, whole } from "./support/random.ts";
import { concatLarge, request } from "./support/wire.ts";

const ANY = { hostname: "127.0.0.1", port: 0 };
const CONNECTIONS = 8;
const REQUESTS = 125;

/** Sends 1,000 requests, all in flight at once, and checks each answer. */
async function askThousand(app: Application): Promise<void> {
  await using server = app.listen(ANY);
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      using peer = await Peer.to(server);
      const ids = Array.from({ length: REQUESTS }, (_, i) => i + 1);
      await peer.send(concatLarge(ids.map((id) =>
        request({
          id,
          params: { REQUEST_URI: `/${connection}/${id}` },
        })
      )));
      for (const id of ids) {
        const { text } = await peer.answer(id);
        assertEquals(text, `/${connection}/${id}`.repeat(3));
      }
    }),
  );
}

const random = seeded(2);

/** Waits a random while, in one of the ways a service waits. */
async function waitSomehow(): Promise<void> {
  switch (whole(random, 0, 3)) {
    case 0:
      return;
    case 1:
      await Promise.resolve();
      return;
    case 2:
      await new Promise((resolve) => setTimeout(resolve, whole(random, 0, 5)));
      return;
    default: {
      const { promise, resolve } = gate();
      queueMicrotask(resolve);
      await promise;
    }
  }
}

/** An application that says its path three times, from three places. */
abstract class Thrice extends Application {
  protected say(): void {
    this.response.write(this.request.url.pathname);
  }
  protected async nested(): Promise<void> {
    await waitSomehow();
    this.say();
    await (async () => {
      await waitSomehow();
      this.say();
    })();
  }
}

Deno.test("this.request is right in 1,000 requests of an async service()", async () => {
  await askThousand(
    new class extends Thrice {
      override async service() {
        this.say();
        await this.nested();
      }
    }(),
  );
});

Deno.test("this.request is right in 1,000 requests of a plain service() that returns a promise", async () => {
  await askThousand(
    new class extends Thrice {
      override service(): Promise<void> {
        this.say();
        return this.nested();
      }
    }(),
  );
});

Deno.test("this.request is right in 1,000 requests of a service() that is an async field", async () => {
  await askThousand(
    new class extends Thrice {
      override service = async () => {
        await this.nested();
        this.say();
      };
    }(),
  );
});

Deno.test("this.request is right in 1,000 requests of a sync service()", async () => {
  await askThousand(
    new class extends Thrice {
      override service() {
        this.say();
        this.say();
        this.say();
      }
    }(),
  );
});

Deno.test("this.request is right in 1,000 requests some of which are sync", async () => {
  let count = 0;
  await askThousand(
    new class extends Thrice {
      override service(): void | Promise<void> {
        this.say();
        if (count++ % 3 > 0) return this.nested();
        this.say();
        this.say();
      }
    }(),
  );
});

Deno.test("this.request is right in timers and callbacks inside of a request", async () => {
  await askThousand(
    new class extends Thrice {
      override service(): Promise<void> {
        const { promise, resolve } = gate();
        setTimeout(() => {
          this.say();
          queueMicrotask(() => {
            this.say();
            Promise.resolve().then(() => this.say()).then(resolve);
          });
        }, whole(random, 0, 5));
        return promise;
      }
    }(),
  );
});

Deno.test("this.request is right in error(), sync and async, of interleaved requests", async () => {
  await askThousand(
    new class extends Thrice {
      override async service() {
        await waitSomehow();
        throw new Error(this.request.url.pathname);
      }
      override async error(error: unknown) {
        this.response.write((error as Error).message);
        await this.nested();
      }
    }(),
  );
});

Deno.test("service() with parameters gets what this.request and this.response are", async () => {
  const same: boolean[] = [];
  const app = new class extends Application {
    override async service(
      request: ServiceRequest,
      response: Application["response"],
    ) {
      same.push(this.request === request, this.response === response);
      await waitSomehow();
      same.push(this.request === request, this.response === response);
    }
  }();
  await using server = app.listen(ANY);
  using peer = await Peer.to(server);
  await peer.ask(request());
  assertEquals(same, [true, true, true, true]);
});

Deno.test("this.request and this.response outside of a request are an error that says so", async () => {
  const app = new class extends Application {
    override async service() {
      await waitSomehow();
      this.say();
    }
    say() {
      this.response.write(this.request.method);
    }
  }();
  assertThrows(() => app.request, TypeError, "outside of a request");
  assertThrows(() => app.response, TypeError, "outside of a request");
  await using server = app.listen(ANY);
  using peer = await Peer.to(server);
  assertEquals((await peer.ask(request())).text, "GET");
  assertThrows(() => app.request, TypeError, "this.request outside");
  assertThrows(() => app.response, TypeError, "this.response outside");
});

Deno.test("this.request outside is an error while an async request is in flight", async () => {
  const [entered, leave] = [gate(), gate()];
  const app = new class extends Application {
    override async service() {
      entered.resolve();
      await leave.promise;
    }
  }();
  await using server = app.listen(ANY);
  using peer = await Peer.to(server);
  await peer.send(request());
  await within(entered.promise, "the service to be called");
  assertThrows(() => app.request, TypeError, "outside of a request");
  leave.resolve();
  await peer.answer();
});

Deno.test("this.request is an error in what goes on after the answer", async () => {
  const isAnswered = gate();
  const seen = gate<unknown>();
  const app = new (class extends Application {
    override async service() {
      const { request } = this;
      await null;
      assertEquals(this.request, request);
      isAnswered.promise.then(() => {
        assertThrows(() => this.response, TypeError, "outside of a request");
        return this.request;
      }).catch(seen.resolve);
      this.response.write("answered");
    }
  })();
  await using server = app.listen(ANY);
  using peer = await Peer.to(server);
  assertEquals((await peer.ask(request())).text, "answered");
  isAnswered.resolve();
  const error = await within(seen.promise, "what goes on");
  assertStringIncludes(`${error}`, "outside of a request");
});

Deno.test("this.request of one application is none of another's", async () => {
  const other = new Application();
  let thrown: unknown;
  const app = new class extends Application {
    override async service() {
      await waitSomehow();
      try {
        other.request;
      } catch (error) {
        thrown = error;
      }
    }
  }();
  await using server = app.listen(ANY);
  using peer = await Peer.to(server);
  await peer.ask(request());
  assertStringIncludes(String(thrown), "outside of a request");
});

Deno.test("RequestScope.run() gives the value up when the function throws", () => {
  const scope = new RequestScope<number>(false);
  assertThrows(
    () =>
      scope.run(1, () => {
        assertEquals(scope.current, 1);
        throw new RangeError("once");
      }),
    RangeError,
    "once",
  );
  assertEquals(scope.current, null);
});

Deno.test("RequestScope.run() gives the outer value back after one inside", () => {
  const scope = new RequestScope<number>(false);
  scope.run(1, () => {
    scope.run(2, () => assertEquals(scope.current, 2));
    assertEquals(scope.current, 1);
  });
  assertEquals(scope.current, null);
});

Deno.test("RequestScope.run() gives the first promise's value up when it fails", async () => {
  const scope = new RequestScope<number>(false);
  const served = scope.run(1, async () => {
    await Promise.resolve();
    assertEquals(scope.current, 1);
    throw new RangeError("later");
  }) as Promise<void>;
  assertEquals(await served.catch((error) => error.message), "later");
  await Promise.resolve();
  assertEquals(scope.current, null);
});
