// PendingWork: what a response still waits for when its service has returned.
// Who does not await what this package does in the background shall neither
// lose it, nor crash the process where it fails.

/** Work in the background of one response, one at a time. */
export class PendingWork {
  #work: Promise<void> | null = null;
  #hasFailed = false;

  /**
   * What is to be waited for: work that is under way, or that has failed and
   * was not forgiven. Null where there is none.
   */
  get work(): Promise<void> | null {
    return this.#work;
  }

  /** Whether it is under way. */
  get isUnderWay(): boolean {
    return this.#work !== null && !this.#hasFailed;
  }

  /**
   * Begins to wait.
   *
   * @param work The work. Its failure is that of the service, unless somebody
   * has caught it and goes on; see {@linkcode PendingWork.forgive}.
   */
  waitFor(work: Promise<void>): void {
    this.#work = work;
    this.#hasFailed = false;
    work.then(
      () => {
        if (this.#work === work) this.#work = null;
      },
      () => {
        if (this.#work === work) this.#hasFailed = true;
      },
    );
  }

  /** The service goes on after a failure: it has caught it. */
  forgive(): void {
    if (this.#hasFailed) this.drop();
  }

  /** Waits for nothing any more. */
  drop(): void {
    this.#work = null;
    this.#hasFailed = false;
  }
}
