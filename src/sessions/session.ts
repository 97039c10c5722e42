// Session: what an application sees of one, and of no store.

/**
 * What is known of a client from one request to the next. Got from
 * `request.session()`; there is one for each request.
 *
 * A session comes into being with the first value that is set. Its changes are
 * stored before anything of the response leaves, and before it ends: who has
 * the answer finds them. An error that leaves `service()` drops them, unless it
 * is an {@linkcode HttpError} below 500.
 *
 * What it does in its store at once, {@linkcode Session.update},
 * {@linkcode Session.destroy} and {@linkcode Session.regenerate}, need not be
 * awaited: it is done before the answer, and an error that nobody waits for
 * fails the request.
 *
 * Requests of one session may run at the same time, in several processes too.
 * Their changes come together key by key, and none that was answered for is
 * lost: a request that has got a value and sets or deletes it fails with
 * `SESSION_CONFLICT` (409) where another has changed it in between;
 * {@linkcode Session.update} begins anew instead. Of a value that was set
 * without having been got the last counts.
 *
 * @example Count visits
 * ```ts
 * import { Application } from "@smisk/smisk";
 *
 * class MyApp extends Application {
 *   override async service() {
 *     const session = await this.request.session();
 *     const visits = await session.update<number>("visits", (n = 0) => n + 1);
 *     this.response.write(`Visit ${visits}`);
 *   }
 * }
 * new MyApp();
 * ```
 */
export interface Session {
  /**
   * The id, which the client's cookie carries: whoever knows it has the
   * session.
   */
  readonly id: string;

  /**
   * Gets a value.
   *
   * @param key The key.
   * @returns A copy, undefined where there is none: what is done to it changes
   * nothing before it is set.
   * @throws {TypeError} Where the session was destroyed.
   */
  get<T = unknown>(key: string): T | undefined;

  /**
   * Sets a value, as it is now.
   *
   * @param key The key: any text, not empty.
   * @param value What JSON can say: null, a boolean, a finite number, a string,
   * an array or a plain object of such.
   * @throws {TypeError} Where the value holds anything else; where the session
   * was destroyed; after the response has begun, where the session is new and
   * so its cookie could not be sent; after the response has ended.
   * @throws {LimitError} `SESSION_TOO_LARGE` where the store allows no more.
   */
  set(key: string, value: unknown): void;

  /**
   * Deletes a value.
   *
   * @param key The key.
   * @throws {TypeError} As of {@linkcode Session.set}.
   */
  delete(key: string): void;

  /**
   * Makes a value from the one there is, and stores it at once, whatever
   * becomes of the request. Where another request changes the value in
   * between, it is made again from that one.
   *
   * @param key The key.
   * @param change Makes the value, undefined to delete it. It may be called
   * several times, and must not wait.
   * @returns The value that was stored. Of a new session it is stored with the
   * rest of it.
   * @throws {FastCgiError} `SESSION_CONFLICT` where the session has ended, or
   * others were always faster.
   * @throws {TypeError | LimitError} As of {@linkcode Session.set}.
   */
  update<T = unknown>(
    key: string,
    change: (value: T | undefined) => T | undefined,
  ): Promise<T | undefined>;

  /**
   * Ends the session at once, for every request of it, and takes the cookie
   * from the client unless the response has begun. What others at the same time
   * still change fails with `SESSION_CONFLICT`. `request.session()` gives a new
   * one after it.
   *
   * @returns Settles when it has ended.
   */
  destroy(): Promise<void>;

  /**
   * Gives the session another id, before the response begins: do so whenever
   * somebody logs in or gets more rights, for the old id may be known to
   * others. It is of no use from then on; what other requests that came with it
   * still change fails with `SESSION_CONFLICT`.
   *
   * @returns Settles when the old id has ended.
   * @throws {TypeError} After the response has begun.
   * @throws {FastCgiError} `SESSION_CONFLICT` where another request has ended
   * the session or regenerated it.
   */
  regenerate(): Promise<void>;
}
