// A headless Chromium, spoken to by the Chrome DevTools Protocol over its
// WebSocket.

import { within } from "../../support/peer.ts";
import { Program } from "../../support/program.ts";

/** The command it is installed as. */
export const CHROMIUM = "chromium";

/** What an answer of the browser holds. */
interface Message {
  id?: number;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** A running browser. */
export class Browser implements AsyncDisposable {
  readonly #program: Program;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Message>>();
  #lastId = 0;

  private constructor(program: Program, profile: string, socket: WebSocket) {
    this.#program = program;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const message: Message = JSON.parse(data);
      if (message.id === undefined) return;
      this.#waiting.get(message.id)?.resolve(message);
      this.#waiting.delete(message.id);
    };
  }

  /** Starts one with a profile of its own. */
  static async start(): Promise<Browser> {
    const profile = await Deno.makeTempDir();
    const program = new Program(CHROMIUM, {
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        "about:blank",
      ],
    });
    try {
      const [, url] = await program.until(/DevTools listening on (ws:\S+)/);
      const socket = new WebSocket(url!);
      await within(
        new Promise((resolve, reject) => {
          socket.onopen = resolve;
          socket.onerror = reject;
        }),
        "the browser to listen",
      );
      return new Browser(program, profile, socket);
    } catch (error) {
      await program.stop();
      await Deno.remove(profile, { recursive: true });
      throw error;
    }
  }

  /** Calls a method of the protocol. */
  async call(
    method: string,
    params: Record<string, unknown> = {},
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const answered = Promise.withResolvers<Message>();
    this.#waiting.set(id, answered);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    const { result, error } = await within(answered.promise, method);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result!;
  }

  /** Opens a page. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.call("Target.createTarget", {
      url: "about:blank",
    });
    const { sessionId } = await this.call("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    // It settles when the page is there to be asked.
    await this.call("Page.navigate", { url }, `${sessionId}`);
    return new Page(this, `${targetId}`, `${sessionId}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    await this.call("Browser.close");
    await within(closed, "the browser to close");
    await this.#program.stop();
    await Deno.remove(this.#profile, { recursive: true });
  }
}

/** An open page. */
export class Page implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #target: string;
  readonly #session: string;

  /** What {@linkcode Browser.open} gives. */
  constructor(browser: Browser, target: string, session: string) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
  }

  /** Evaluates an expression in the page, awaiting what it promises. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#browser.call(
      "Runtime.evaluate",
      { expression, awaitPromise: true, returnByValue: true },
      this.#session,
    );
    if (exceptionDetails !== undefined) {
      throw new Error(JSON.stringify(exceptionDetails));
    }
    return (result as { value?: unknown }).value;
  }

  /** Waits until an expression holds, looked at whenever the page changes. */
  async until(expression: string): Promise<void> {
    const holds = this.evaluate(`new Promise((resolve) => {
      const look = () => {
        if (document.readyState === "loading" || !(${expression})) return;
        observer.disconnect();
        resolve();
      };
      const observer = new MutationObserver(look);
      observer.observe(document, {
        childList: true, subtree: true, characterData: true,
      });
      document.addEventListener("readystatechange", look);
      look();
    })`);
    try {
      await holds;
    } catch (error) {
      const page = await this.evaluate("document.documentElement.outerHTML");
      throw new Error(`Waited for ${expression} in:\n${page}`, {
        cause: error,
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.call("Target.closeTarget", { targetId: this.#target });
  }
}
