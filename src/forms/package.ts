// The export that puts the multipart parser into a program's modules, where it
// can be found without being downloaded at run time.

/**
 * Makes the multipart parser part of a program: `import "@smisk/smisk/forms"`.
 *
 * `request.form()` needs no such import. Without it, the parser (npm's
 * `@fastify/busboy`) is downloaded when the first multipart form comes, unless
 * it is in the cache. With it, `deno cache` and the start of the program
 * download it, the lock file knows it, and `deno compile` puts it into the
 * binary. It is still loaded when the first multipart form comes, and not
 * before.
 *
 * @example Have uploads work where nothing can be downloaded
 * ```ts
 * import "@smisk/smisk/forms";
 * import { Application } from "@smisk/smisk";
 *
 * class MyApp extends Application {
 *   override async service() {
 *     const { files } = await this.request.form();
 *     this.response.write(`${files.size} files came`);
 *   }
 * }
 * new MyApp();
 * ```
 *
 * @module
 */

/**
 * Loads the parser, as `request.form()` does for the first multipart form: for
 * a program that would rather wait at its start.
 *
 * @returns Settles when it is loaded.
 */
export async function loadMultipart(): Promise<void> {
  await import("@fastify/busboy");
}
