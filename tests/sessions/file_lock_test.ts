import { assertEquals, assertRejects } from "@std/assert";
import { FastCgiError } from "../../mod.ts";
import { FileLock } from "../../src/sessions/file_lock.ts";
import { gate } from "../support/running.ts";

/** Lends a path in a directory of its own. */
async function withPath(use: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await use(`${directory}/lock`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("FileLock lets one through at a time, of this process and of others", async () => {
  await withPath(async (path) => {
    // Two locks of one file are to the system as of two processes.
    const locks = [new FileLock(path, 10_000), new FileLock(path, 10_000)];
    let within = 0;
    let most = 0;
    const done = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        locks[i % 2]!.hold(async () => {
          most = Math.max(most, ++within);
          await Deno.stat(path);
          within--;
          return i;
        })),
    );
    assertEquals([most, done], [1, Array.from({ length: 20 }, (_, i) => i)]);
  });
});

Deno.test("FileLock is free again after an error, which it passes on", async () => {
  await withPath(async (path) => {
    const locks = [new FileLock(path, 10_000), new FileLock(path, 10_000)];
    for (const lock of locks) {
      const fail = () => Promise.reject(new Error("on purpose"));
      await assertRejects(() => lock.hold(fail), Error, "on purpose");
    }
    for (const lock of locks) {
      assertEquals(await lock.hold(() => Promise.resolve(1)), 1);
    }
  });
});

Deno.test("FileLock gives up on a lock that others keep, all who wait together", async () => {
  await withPath(async (path) => {
    const [keeps, waits] = [new FileLock(path, 10_000), new FileLock(path, 50)];
    const kept = gate();
    const going = gate();
    const keeping = keeps.hold(async () => {
      kept.resolve();
      await going.promise;
    });
    await kept.promise;
    const since = performance.now();
    await Promise.all(Array.from({ length: 100 }, async () => {
      const error = await assertRejects(
        () => waits.hold(() => Promise.resolve()),
        FastCgiError,
        `Cannot lock ${path}: others have held it for more than 50 ms`,
      );
      assertEquals(error.code, "SESSION_STORE");
    }));
    // Not one after the other.
    assertEquals(performance.now() - since < 100 * 50, true);
    going.resolve();
    await keeping;
    assertEquals(await waits.hold(() => Promise.resolve(1)), 1);
  });
});
