// What PEP 3333 says of the values that server and application hand each other,
// as checks that throw. Who breaks it is told by what is checked: of `env` the
// server, of everything else the application.

import { isHopByHop } from "../cgi/header_block.ts";

/**
 * Ends a check that found something.
 *
 * @param what The sentence.
 */
export function violation(what: string): never {
  throw new TypeError(`WSGI violation: ${what}`);
}

/** As `violation`, unless a condition holds. */
export function check(holds: boolean, what: () => string): void {
  if (!holds) violation(what());
}

/**
 * A value as it stands in a sentence.
 *
 * @param value The value.
 * @returns Its text or its type.
 */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return String(value);
  if (value === null) return "null";
  if (value === undefined) return "undefined";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

const REQUIRED = [
  "REQUEST_METHOD",
  "SERVER_NAME",
  "SERVER_PORT",
  "SERVER_PROTOCOL",
  "wsgi.version",
  "wsgi.url_scheme",
  "wsgi.input",
  "wsgi.errors",
  "wsgi.multithread",
  "wsgi.multiprocess",
  "wsgi.run_once",
];

const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "OPTIONS",
  "PATCH",
  "PUT",
  "DELETE",
  "TRACE",
];

/**
 * Checks an environment.
 *
 * @param env What the application is called with first.
 */
export function checkEnvironment(
  env: unknown,
): asserts env is Record<string, unknown> {
  if (typeof env !== "object" || env === null || Array.isArray(env)) {
    violation(`env is ${show(env)}, where it is an object`);
  }
  const values = env as Record<string, unknown>;
  for (const name of REQUIRED) {
    check(name in values, () => `env has no ${name}`);
  }
  for (const name of ["CONTENT_TYPE", "CONTENT_LENGTH"]) {
    check(
      !(`HTTP_${name}` in values),
      () => `env has HTTP_${name}, where it is ${name}`,
    );
  }
  for (const [name, value] of Object.entries(values)) {
    // Of the server, of middleware or of WSGI itself.
    if (name.includes(".")) continue;
    check(
      typeof value === "string",
      () => `env.${name} is ${show(value)}, where it is a string`,
    );
  }
  checkWsgiValues(values);
  checkPaths(values);
  const length = values.CONTENT_LENGTH;
  check(
    length === undefined || /^\d*$/.test(length as string),
    () => `env.CONTENT_LENGTH is ${show(length)}, where it is digits or empty`,
  );
  for (const name of ["SERVER_NAME", "SERVER_PORT"]) {
    check(values[name] !== "", () => `env.${name} is empty`);
  }
}

function checkWsgiValues(values: Record<string, unknown>): void {
  const version = values["wsgi.version"];
  check(
    Array.isArray(version) && version.length === 2 &&
      version.every((part) => Number.isInteger(part)),
    () => `env["wsgi.version"] is ${show(version)}, where it is [1, 0]`,
  );
  const scheme = values["wsgi.url_scheme"];
  check(
    scheme === "http" || scheme === "https",
    () =>
      `env["wsgi.url_scheme"] is ${show(scheme)}, where it is http or https`,
  );
  for (const name of ["multithread", "multiprocess", "run_once"]) {
    const value = values[`wsgi.${name}`];
    check(
      typeof value === "boolean",
      () => `env["wsgi.${name}"] is ${show(value)}, where it is a boolean`,
    );
  }
  checkMethods(values, "wsgi.input", [
    "read",
    "readline",
    "readlines",
    Symbol.asyncIterator,
  ]);
  checkMethods(values, "wsgi.errors", ["write", "writelines", "flush"]);
}

function checkMethods(
  values: Record<string, unknown>,
  name: string,
  methods: (string | symbol)[],
): void {
  const stream = values[name] as Record<string | symbol, unknown> | null;
  for (const method of methods) {
    check(
      typeof stream?.[method] === "function",
      () =>
        `env["${name}"] has no method ${
          typeof method === "symbol" ? `[${method.description}]` : method
        }`,
    );
  }
}

function checkPaths(values: Record<string, unknown>): void {
  const { SCRIPT_NAME, PATH_INFO } = values as Record<string, string>;
  for (const [name, path] of Object.entries({ SCRIPT_NAME, PATH_INFO })) {
    check(
      !path || path.startsWith("/"),
      () => `env.${name} is ${show(path)}, where it begins with a slash`,
    );
  }
  check(
    Boolean(SCRIPT_NAME) || PATH_INFO !== undefined,
    () => "env has neither SCRIPT_NAME nor PATH_INFO",
  );
  check(
    SCRIPT_NAME !== "/",
    () =>
      'env.SCRIPT_NAME is "/", where it is empty and PATH_INFO begins with the slash',
  );
}

/**
 * What of an environment is allowed, but mostly a mistake.
 *
 * @param env The environment, checked.
 * @returns A sentence each.
 */
export function doubtsAbout(env: Record<string, unknown>): string[] {
  const doubts: string[] = [];
  if (!("QUERY_STRING" in env)) doubts.push("env has no QUERY_STRING");
  if (!METHODS.includes(env.REQUEST_METHOD as string)) {
    doubts.push(`env.REQUEST_METHOD is unknown: ${show(env.REQUEST_METHOD)}`);
  }
  return doubts;
}

/**
 * Checks a status.
 *
 * @param status The first argument of `startResponse`.
 */
export function checkStatus(status: unknown): asserts status is string {
  if (typeof status !== "string") {
    violation(`the status is ${show(status)}, where it is a string`);
  }
  const code = status.split(" ", 1)[0]!;
  check(
    /^\d{3}$/.test(code),
    () => `the status ${show(status)} does not begin with three digits`,
  );
  check(
    Number(code) >= 100,
    () => `the status ${show(status)} is below 100`,
  );
  check(
    /^\d{3} \S/.test(status),
    () =>
      `the status ${
        show(status)
      } has not three digits, a single space and a reason`,
  );
  check(
    // deno-lint-ignore no-control-regex
    !/[\x00-\x1f\x7f]|\s$/.test(status),
    () =>
      `the status ${show(status)} holds control characters or ends in space`,
  );
}

/**
 * Checks headers.
 *
 * @param headers The second argument of `startResponse`.
 */
export function checkHeaders(
  headers: unknown,
): asserts headers is [string, string][] {
  if (!Array.isArray(headers)) {
    violation(`the headers are ${show(headers)}, where they are an array`);
  }
  for (const [i, header] of headers.entries()) {
    if (!Array.isArray(header)) {
      violation(`header ${i} is ${show(header)}, where it is [name, value]`);
    }
    check(
      header.length === 2,
      () => `header ${i} has ${header.length} parts, where it is [name, value]`,
    );
    const [name, value] = header;
    checkName(name);
    checkValue(name, value);
  }
}

function checkName(name: unknown): void {
  if (typeof name !== "string") {
    violation(`a header's name is ${show(name)}, where it is a string`);
  }
  const lower = name.toLowerCase();
  check(
    lower !== "status",
    () =>
      "there is a header Status, where the status is an argument of its own",
  );
  check(
    !/[\n:]/.test(name),
    () => `the header name ${show(name)} holds a colon or a line feed`,
  );
  check(
    /^[a-zA-Z][a-zA-Z0-9\-_]*$/.test(name),
    () => `the header name ${show(name)} is not of letters, digits, - and _`,
  );
  check(
    !/[-_]$/.test(name),
    () => `the header name ${show(name)} ends in - or _`,
  );
  check(
    !isHopByHop(name),
    () => `the header ${name} is hop-by-hop, which is the server's to send`,
  );
}

function checkValue(name: string, value: unknown): void {
  if (typeof value !== "string") {
    violation(`the header ${name} is ${show(value)}, where it is a string`);
  }
  check(
    // deno-lint-ignore no-control-regex
    !/[\x00-\x1f\x7f]/.test(value),
    () => `the header ${name} holds control characters: ${show(value)}`,
  );
  check(
    !/[^\0-\xff]/.test(value),
    () => `the header ${name} holds characters beyond Latin-1: ${show(value)}`,
  );
}

/**
 * Checks that there is a Content-Type where there is content, and only there.
 *
 * @param status The status, checked.
 * @param headers The headers, checked.
 */
export function checkContentType(
  status: string,
  headers: readonly (readonly [string, string])[],
): void {
  const code = status.slice(0, 3);
  const hasType = headers.some(([name]) =>
    name.toLowerCase() === "content-type"
  );
  if (["204", "205", "304"].includes(code)) {
    check(
      !hasType,
      () => `there is a Content-Type to a ${code}, which has no content`,
    );
  } else {
    check(hasType, () => `there is no Content-Type to a ${code}`);
  }
}

/**
 * Checks the error that another start is for.
 *
 * @param error The third argument of `startResponse`.
 */
export function checkError(error: unknown): void {
  check(
    error === undefined || error === null || error instanceof Error,
    () => `the third argument of startResponse is ${show(error)}, and no Error`,
  );
}
