// ResponseHold: what has a say in when a response leaves. The server knows no
// more of sessions than this.

/** Something that must be done before a response leaves. */
export interface ResponseHold {
  /**
   * The header is being fixed. Called again where another response takes the
   * place of one that has not left.
   *
   * @returns A Set-Cookie value to be sent with it, null for none.
   */
  begin(): string | null;
  /**
   * Something written is about to leave before the end.
   *
   * @returns Settles when it may; fails where it must not, with the `status`
   * to answer with. Null where nothing is to be done.
   */
  beforeLeave(): Promise<void> | null;
  /**
   * The response is complete.
   *
   * @returns As of {@linkcode ResponseHold.beforeLeave}.
   */
  beforeEnd(): Promise<void> | null;
  /** The request failed: what it wanted done, and is not done yet, is not. */
  discard(): void;
}
