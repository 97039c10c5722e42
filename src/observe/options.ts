// What can be asked to be seen of an application, with unit and default. Values
// are checked in observer.ts, as the first server starts: what a program loads
// before that is time in which nobody can connect.

/**
 * What can be seen of an application from outside; all of it off by default. A
 * wrong value makes the first server fail with a `RangeError`.
 */
export interface ObserveOptions {
  /**
   * Where a line is written for each request: a file's path, or `stdout` or
   * `stderr`. A file may be renamed or removed at any time, with no signal.
   *
   * @default {""} (nowhere)
   */
  accessLog?: string;
  /**
   * What such a line says: `common`, `combined`, `json`, or a format of the
   * tokens of PHP-FPM's `access.format`.
   *
   * @default {"combined"}
   */
  accessFormat?: string;
  /**
   * Milliseconds after which a request that is not answered is told in the
   * server's log, with the stack of what it waits for.
   *
   * @default {Infinity}
   */
  slowLogMs?: number;
  /**
   * A path that is answered with `pong`, for load balancers.
   *
   * @default {""} (none)
   */
  pingPath?: string;
  /**
   * A path that is answered with what the server has done and does. Whoever
   * may ask for the path sees it.
   *
   * @default {""} (none)
   */
  statusPath?: string;
}
