// AsyncValue: by the runtime's context and by AsyncLocalStorage, alone and next
// to an AsyncLocalStorage of somebody else.

import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { asyncValue, StoredValue } from "../src/async_value.ts";
import type { AsyncValue } from "../src/async_value.ts";
import { RequestScope } from "../src/scope.ts";
import { gate } from "./support/running.ts";
import { seeded, whole } from "./support/random.ts";

const MAKERS: Record<string, <T>() => AsyncValue<T>> = {
  "the runtime's context": asyncValue,
  "AsyncLocalStorage": () => new StoredValue(),
};

Deno.test("asyncValue() finds the runtime's context", () => {
  assert(!(asyncValue() instanceof StoredValue));
});

const random = seeded(5);

/** Goes on later, in one of the ways there are. */
function later(): Promise<unknown> {
  const { promise, resolve } = gate<unknown>();
  const ways = [
    () => resolve(null),
    () => queueMicrotask(() => resolve(null)),
    () => setTimeout(resolve, whole(random, 0, 3)),
    () => Promise.resolve().then(resolve),
    () => process.nextTick(resolve),
    () => setImmediate(resolve),
    () => new Blob(["text"]).text().then(resolve),
    () => new Response("text").text().then(resolve),
  ];
  ways[whole(random, 0, ways.length - 1)]!();
  return promise;
}

const { process, setImmediate } = globalThis as unknown as {
  process: { nextTick(call: (value: unknown) => void): void };
  setImmediate(call: (value: unknown) => void): void;
};

for (const [way, make] of Object.entries(MAKERS)) {
  Deno.test(`a value stays with the code it was given to, by ${way}`, async () => {
    const value = make<number>();
    assertEquals(value.current, undefined);
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        value.run(i, async (given) => {
          assertEquals(given, i);
          for (let n = 0; n < 5; n++) {
            assertEquals(value.current, i);
            await later();
          }
          await Promise.all([0, 1].map(async () => {
            await later();
            assertEquals(value.current, i);
          }));
        })),
    );
    assertEquals(value.current, undefined);
  });

  Deno.test(`a value within another is that, and then the other again, by ${way}`, async () => {
    const value = make<string>();
    const given = value.run("outer", () => {
      const inner = value.run("inner", async () => {
        await later();
        return value.current;
      });
      assertEquals(value.current, "outer");
      return inner;
    });
    assertEquals(value.current, undefined);
    assertEquals(await given, "inner");
  });

  Deno.test(`a value is given up when the function throws, by ${way}`, () => {
    const value = make<string>();
    const fail = () =>
      value.run("value", () => {
        throw new RangeError("deliberate");
      });
    assertThrows(fail, RangeError, "deliberate");
    assertEquals(value.current, undefined);
    value.run("outer", () => {
      assertThrows(fail, RangeError, "deliberate");
      assertEquals(value.current, "outer");
    });
  });

  Deno.test(`two values keep apart, by ${way}`, async () => {
    const [one, two] = [make<number>(), make<number>()];
    await one.run(1, async () => {
      await later();
      await two.run(2, async () => {
        await later();
        assertEquals([one.current, two.current], [1, 2]);
        await one.run(3, async () => {
          await later();
          assertEquals([one.current, two.current], [3, 2]);
        });
      });
      assertEquals([one.current, two.current], [1, undefined]);
    });
  });

  Deno.test(`a value and an AsyncLocalStorage keep apart, by ${way}`, async () => {
    const value = make<number>();
    const storage = new AsyncLocalStorage<string>();
    const both = () => [value.current, storage.getStore()];
    const [bound, snapshot] = await storage.run(
      "theirs",
      () =>
        value.run(1, async () => {
          await later();
          assertEquals(both(), [1, "theirs"]);
          await storage.run("inner", async () => {
            await later();
            assertEquals(both(), [1, "inner"]);
            await value.run(2, async () => {
              await later();
              assertEquals(both(), [2, "inner"]);
              assertEquals(storage.exit(both), [2, undefined]);
            });
          });
          assertEquals(both(), [1, "theirs"]);
          return [AsyncResource.bind(both), AsyncLocalStorage.snapshot()];
        }),
    );
    assertEquals(both(), [undefined, undefined]);
    assertEquals((bound as typeof both)(), [1, "theirs"]);
    assertEquals((snapshot as (call: typeof both) => unknown)(both), [
      1,
      "theirs",
    ]);
  });

  for (const isAsync of [true, false]) {
    Deno.test(`RequestScope keeps requests apart that are ${isAsync ? "" : "not "}known to be asynchronous, by ${way}`, async () => {
      const scope = new RequestScope<number>(isAsync, make);
      await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          scope.run(i, async () => {
            await later();
            assertEquals(scope.current, i);
            await later();
            assertEquals(scope.current, i);
          })),
      );
      assertEquals(scope.current, null);
    });
  }
}

/** What stands in the way of the context, as properties of Deno. */
const OTHERS: Record<string, string> = {
  "is not there": "{ internal: undefined }",
  "is kept elsewhere": `{
    internal: "elsewhere",
    elsewhere: { core: Deno[Deno.internal].core },
  }`,
  "is another": `{
    internal,
    [internal]: {
      core: {
        getAsyncContext: () => undefined,
        setAsyncContext() {},
        AsyncVariable: class { enter() {} get() {} },
      },
    },
  }`,
  "fails": `{
    internal,
    [internal]: {
      core: {
        getAsyncContext: () => undefined,
        setAsyncContext() {},
        AsyncVariable: class { constructor() { throw new Error("none"); } },
      },
    },
  }`,
};

for (const [what, properties] of Object.entries(OTHERS)) {
  // In a process of its own, for it is looked at once.
  Deno.test(`asyncValue() is by AsyncLocalStorage where the context ${what}`, async () => {
    const module = new URL("../src/async_value.ts", import.meta.url).href;
    const program = `
      const internal = Symbol("internal");
      const other = Object.getOwnPropertyDescriptors(${properties});
      const value = Object.create(Deno, other);
      Object.defineProperty(globalThis, "Deno", { value });
      const { asyncValue, StoredValue } = await import("${module}");
      const made = asyncValue();
      console.log(made instanceof StoredValue, made.current);
      await made.run(1, async () => {
        await new Promise((resolve) => setTimeout(resolve));
        console.log(made.current);
      });
      console.log(made.current);
    `;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--no-config", program],
      env: { NO_COLOR: "1" },
    }).output();
    const read = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(
      read(stdout),
      "true undefined\n1\nundefined\n",
      read(stderr),
    );
  });
}
