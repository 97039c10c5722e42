// PhpFpm: a real PHP-FPM on a Unix socket, with scripts of the test's own.

import { afterAll, beforeAll } from "@std/testing/bdd";
import { isInstalled, Program } from "../support/program.ts";
import { Folder } from "./folder.ts";
import { IS_ROOT } from "./web_server.ts";

/** Debian names the program by its version. */
export const PHP_FPM =
  ["php-fpm8.2", "php-fpm8.3", "php-fpm8.4", "php-fpm"].find(isInstalled) ??
    "php-fpm8.2";

/** A running PHP-FPM. */
export class PhpFpm implements AsyncDisposable {
  readonly #program: Program;
  /** Where it listens. */
  readonly socket: string;

  private constructor(program: Program, socket: string) {
    this.#program = program;
    this.socket = socket;
  }

  /**
   * Starts it.
   *
   * @param folder Where its socket and configuration go.
   * @param configuration What it is started with; `listen` is replaced.
   * @param pool Further directives of the pool.
   */
  static async start(
    folder: string,
    configuration: string,
    pool: readonly string[] = [],
  ): Promise<PhpFpm> {
    const socket = `${folder}/php.sock`;
    const path = `${folder}/fpm.conf`;
    // Only the superuser's is asked for a user, and another must reach it all.
    const more = [...(IS_ROOT ? ["user = nobody"] : []), ...pool];
    await Deno.writeTextFile(
      path,
      configuration
        .replace(/^listen = .*$/m, `listen = ${socket}`)
        .replace(/^listen\.mode = .*$/m, "listen.mode = 0666") +
        `\n${more.join("\n")}\n`,
    );
    const program = new Program(PHP_FPM, {
      args: ["--nodaemonize", "--prefix", folder, "--fpm-config", path],
      env: { PATH: `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin` },
    });
    try {
      await program.until(/ready to handle connections/);
    } catch (error) {
      await program.stop();
      throw error;
    }
    return new PhpFpm(program, socket);
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
  }
}

/** A PHP-FPM, and the folder of its scripts. */
interface Scripts {
  /** Where it listens. */
  readonly socket: string;
  readonly folder: string;
}

/**
 * Starts it for the tests of a suite.
 *
 * @param configuration As of {@linkcode PhpFpm.start}.
 * @param files The scripts, by name.
 */
export function phpFpmOf(
  configuration: string,
  files: Readonly<Record<string, string>>,
): () => Scripts {
  const used = new AsyncDisposableStack();
  let scripts: Scripts | undefined;
  beforeAll(async () => {
    const folder = used.use(new Folder()).path;
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    const { socket } = used.use(await PhpFpm.start(folder, configuration));
    scripts = { socket, folder };
  });
  afterAll(() => used.disposeAsync());
  return () => scripts!;
}
