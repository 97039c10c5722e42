// The work of validator(): calls an application, and finds what it and the
// server do wrong by PEP 3333.

import { describeError } from "../describe_error.ts";
import {
  check,
  checkContentType,
  checkEnvironment,
  checkError,
  checkHeaders,
  checkStatus,
  doubtsAbout,
  show,
  violation,
} from "./validation_checks.ts";
import { isIterable, isPromiseLike, WsgiBodyReader } from "./wsgi_body.ts";
import type {
  StartResponse,
  WsgiApplication,
  WsgiBody,
  WsgiChunk,
  WsgiEnvironment,
  WsgiErrorStream,
  WsgiHeaders,
  WsgiInputStream,
  WsgiWrite,
} from "./wsgi_types.ts";

/** What a body that was never closed leaves behind. */
const unclosed = new FinalizationRegistry<WsgiErrorStream>((errors) => {
  errors.write(
    "WSGI violation: a body was garbage-collected without being closed\n",
  );
});

/**
 * Calls an application.
 *
 * @param app The application.
 * @param args What the server calls it with.
 * @returns What it returns, to be watched on.
 * @throws {TypeError} Where something is against PEP 3333.
 */
export function validate(
  app: WsgiApplication,
  args: readonly unknown[],
): WsgiBody | Promise<WsgiBody> {
  checkCount("the application", args, 2, 2);
  const [env, startResponse] = args;
  checkEnvironment(env);
  check(
    typeof startResponse === "function",
    () => `startResponse is ${show(startResponse)}, and no function`,
  );
  const input = env["wsgi.input"] as WsgiInputStream;
  const errors = env["wsgi.errors"] as WsgiErrorStream;
  for (const doubt of doubtsAbout(env)) {
    errors.write(`WSGI warning: ${doubt}\n`);
  }
  const start = new Start(startResponse as StartResponse);
  env["wsgi.input"] = checkedInput(input);
  env["wsgi.errors"] = checkedErrors(errors);
  const body: unknown = app(env as unknown as WsgiEnvironment, start.call);
  const checked = (body: unknown) => checkedBody(body, start, errors);
  return isPromiseLike(body)
    ? Promise.resolve(body).then(checked)
    : checked(body);
}

/** startResponse(), and whether it was called. */
class Start {
  readonly #startResponse: StartResponse;
  #isCalled = false;

  constructor(startResponse: StartResponse) {
    this.#startResponse = startResponse;
  }

  readonly call = (...args: unknown[]): WsgiWrite => {
    checkCount("startResponse", args, 2, 3);
    const [status, headers, error] = args;
    checkStatus(status);
    checkHeaders(headers);
    checkContentType(status, headers);
    checkError(error);
    check(
      !this.#isCalled || error !== undefined && error !== null,
      () => "startResponse was called again without an error",
    );
    this.#isCalled = true;
    const write = this.#startResponse(
      ...[status, headers, error].slice(0, args.length) as [
        string,
        WsgiHeaders,
        unknown,
      ],
    );
    return (...args: unknown[]) => {
      checkCount("write", args, 1, 1);
      checkChunk("write was called with", args[0]);
      return write(args[0] as WsgiChunk);
    };
  };

  /** Something is to be sent. */
  check(): void {
    check(
      this.#isCalled,
      () => "the body was begun before startResponse was called",
    );
  }
}

function checkCount(
  name: string,
  args: readonly unknown[],
  least: number,
  most: number,
): void {
  check(
    args.length >= least && args.length <= most,
    () =>
      `${name} was called with ${args.length} arguments, where it takes ${
        least === most ? least : `${least} to ${most}`
      }`,
  );
}

function checkChunk(how: string, chunk: unknown): void {
  check(
    typeof chunk === "string" || chunk instanceof Uint8Array,
    () => `${how} ${show(chunk)}, where a chunk is a string or a Uint8Array`,
  );
}

// wsgi.input and wsgi.errors

function checkedInput(input: WsgiInputStream): WsgiInputStream {
  const checkBytes = (method: string, bytes: unknown) => {
    check(
      bytes instanceof Uint8Array,
      () => `wsgi.input.${method} gave ${show(bytes)}, and no Uint8Array`,
    );
    return bytes as Uint8Array<ArrayBuffer>;
  };
  const checkArgs = (method: string, args: unknown[], least: number) => {
    checkCount(`wsgi.input.${method}`, args, least, 1);
    check(
      args.every((size) => Number.isInteger(size)),
      () => `wsgi.input.${method} was called with ${show(args[0])} for a size`,
    );
    return args as [number];
  };
  const checked = {
    async read(...args: unknown[]) {
      const [size] = checkArgs("read", args, 1);
      return checkBytes("read", await input.read(size));
    },
    async readline(...args: unknown[]) {
      const sizes = checkArgs("readline", args, 0);
      return checkBytes("readline", await input.readline(...sizes));
    },
    async readlines(...args: unknown[]) {
      const hints = checkArgs("readlines", args, 0);
      const lines: unknown = await input.readlines(...hints);
      if (!Array.isArray(lines)) {
        violation(`wsgi.input.readlines gave ${show(lines)}, and no array`);
      }
      return lines.map((line) => checkBytes("readlines", line));
    },
    async *[Symbol.asyncIterator]() {
      for await (const line of input) yield checkBytes("iteration", line);
    },
    close(): never {
      violation("wsgi.input.close was called: the server closes it");
    },
  };
  return checked;
}

function checkedErrors(errors: WsgiErrorStream): WsgiErrorStream {
  const checkText = (method: string, text: unknown) => {
    check(
      typeof text === "string",
      () => `wsgi.errors.${method} was given ${show(text)}, and no string`,
    );
    return text as string;
  };
  const checked = {
    write(...args: unknown[]) {
      checkCount("wsgi.errors.write", args, 1, 1);
      errors.write(checkText("write", args[0]));
    },
    writelines(...args: unknown[]) {
      checkCount("wsgi.errors.writelines", args, 1, 1);
      const [lines] = args;
      if (!isIterable(lines)) {
        violation(`wsgi.errors.writelines was given ${show(lines)}`);
      }
      errors.writelines(
        Array.from(
          lines as Iterable<unknown>,
          (line) => checkText("writelines", line),
        ),
      );
    },
    flush(...args: unknown[]) {
      checkCount("wsgi.errors.flush", args, 0, 0);
      errors.flush();
    },
    close(): never {
      violation("wsgi.errors.close was called: the server closes it");
    },
  };
  return checked;
}

// The body

function checkedBody(
  body: unknown,
  start: Start,
  errors: WsgiErrorStream,
): WsgiBody {
  check(
    typeof body !== "string" && !(body instanceof Uint8Array),
    () =>
      "the application returned a string or bytes, where it is an array of that one chunk",
  );
  if (!isIterable(body)) {
    violation(
      `the application returned ${
        show(body)
      }, where it is an iterable, if only an empty array`,
    );
  }
  const symbol = Symbol.asyncIterator in body
    ? Symbol.asyncIterator
    : Symbol.iterator;
  const checked = new CheckedBody(body, start, errors);
  unclosed.register(checked, errors, checked);
  return Object.assign(checked, {
    [symbol]: () => checked.begin(),
  }) as unknown as WsgiBody;
}

/** A body that is read once, and then closed. */
class CheckedBody {
  readonly #reader: WsgiBodyReader;
  readonly #start: Start;
  #isBegun = false;
  #isClosed = false;

  constructor(body: object, start: Start, errors: WsgiErrorStream) {
    this.#start = start;
    this.#reader = new WsgiBodyReader(
      body,
      (error) =>
        errors.write(`Closing a body failed: ${describeError(error)}\n`),
    );
  }

  begin(): { next(): unknown } {
    check(!this.#isBegun, () => "the body was iterated twice");
    this.#isBegun = true;
    return { next: () => this.#next() };
  }

  #next(): unknown {
    check(!this.#isClosed, () => "the body was read after it was closed");
    const next = this.#reader.next();
    return isPromiseLike(next)
      ? next.then((result) => this.#inspect(result))
      : this.#inspect(next);
  }

  #inspect(result: IteratorResult<unknown>): IteratorResult<unknown> {
    this.#start.check();
    if (result.done) this.#reader.done();
    else checkChunk("the body gave", result.value);
    return result;
  }

  close(): void {
    check(!this.#isClosed, () => "the body was closed twice");
    this.#isClosed = true;
    unclosed.unregister(this);
    this.#reader.close();
  }
}
