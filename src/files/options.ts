// What may be said of a file that is sent, and of files that others send.

/**
 * The options of `response.sendFile()`.
 *
 * @example Send the files below a directory, and nothing else
 * ```ts
 * import { Application } from "@smisk/smisk";
 *
 * class MyApp extends Application {
 *   override async service() {
 *     const { request, response } = this;
 *     await response.sendFile(request.url, { root: "/srv/files" });
 *   }
 * }
 * new MyApp();
 * ```
 */
export interface SendFileOptions {
  /**
   * The directory that the file must be in: the path is then one below it, and
   * may come from a client; of a URL it is the path, decoded. Nothing leads out
   * of it, neither `..` in any encoding nor symbolic links, also where somebody
   * swaps them meanwhile. The directory itself and those it is in are trusted.
   *
   * @default {none}
   */
  root?: string | URL;
  /**
   * Whether names below the root may begin with a dot. `.well-known` may in any
   * case.
   *
   * @default {false}
   */
  dotFiles?: boolean;
  /**
   * The media type. By default that which the end of the name stands for,
   * `application/octet-stream` where it is not known, unless the response has a
   * Content-Type other than its default.
   *
   * @default {by name}
   */
  contentType?: string;
  /**
   * The name under which the client keeps the file, of any characters; true for
   * the file's own. Without it, browsers show what they can.
   *
   * @default {false}
   */
  download?: string | boolean;
  /**
   * Whether the file may grow while it is sent, as logs do: what was in it at
   * first is sent. Otherwise the response breaks off where the file changes.
   *
   * @default {false}
   */
  mayGrow?: boolean;
  /**
   * Whether the web server may be handed the file, as far as the application's
   * option `handOver` has it.
   *
   * @default {true}
   */
  handOver?: boolean;
}

/**
 * The directories that web servers may send files of in a program's place, each
 * kind of server by itself: it must be configured for it, for one that is not
 * answers with an empty page. Which one asks, SERVER_SOFTWARE tells.
 */
export interface HandOverOptions {
  /**
   * X-Accel-Redirect: each directory, and the internal location that has it,
   * such as `{ "/srv/files": "/protected/" }`. Also of OpenResty.
   */
  nginx?: Readonly<Record<string, string>>;
  /** X-Sendfile: the directories of `x-sendfile-docroot`. */
  lighttpd?: readonly string[];
  /** X-Sendfile: the directories of mod_xsendfile's `XSendFilePath`. */
  apache?: readonly string[];
  /**
   * X-Accel-Redirect, as `handle_response` takes it: each directory, and the
   * path that its `root` has it at, such as `{ "/srv/files": "/" }`.
   */
  caddy?: Readonly<Record<string, string>>;
  /**
   * X-Reproxy-URL: each directory, and the address that H2O has it at, such as
   * `{ "/srv/files": "http://[unix:/run/h2o_files.sock]/" }`.
   */
  h2o?: Readonly<Record<string, string>>;
}
