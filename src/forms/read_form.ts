// Reading a form: which kind it is, what it may take, and what becomes of its
// files when the request ends.

import { resolveLimits } from "../options.ts";
import type { Limits } from "../options.ts";
import type { Exchange } from "../server/exchange.ts";
import { UploadedFiles } from "./form.ts";
import type { Form, FormOptions } from "./form.ts";
import {
  formTooLarge,
  malformed,
  unsupported,
  uploadTooLarge,
} from "./form_errors.ts";
import { charsetField, splitUrlencoded, textDecoderOf } from "./form_text.ts";
import type { TextRules } from "./form_text.ts";
import { Gathered } from "./gathered.ts";
import { parseHeaderValue } from "./header_value.ts";
import { TemporaryFiles } from "./temporary_files.ts";

const URLENCODED = "application/x-www-form-urlencoded";
const MULTIPART = "multipart/form-data";

/** What an application says of how its forms are read. */
export interface FormRules extends TextRules {
  /** The limits in force. */
  readonly limits: Limits;
  /** Writes a line to the server's own log. */
  report(message: string): void;
  /**
   * Has a stop wait for what is cleaned up once the request has ended.
   *
   * @param exchange The request.
   * @param cleaned Settles when it is, never before the request has ended.
   */
  awaitCleaning(exchange: Exchange, cleaned: Promise<void>): void;
}

/**
 * Reads the form that is the body of a request.
 *
 * @param exchange The request.
 * @param contentType Its Content-Type, empty where there is none.
 * @param rules How forms are read.
 * @param options What is to be otherwise.
 * @returns The form.
 * @throws {FastCgiError} Where it cannot be read: see `ServiceRequest.form`.
 */
export async function readForm(
  exchange: Exchange,
  contentType: string,
  rules: FormRules,
  options: FormOptions,
): Promise<Form> {
  const { input } = exchange;
  try {
    return await readAny(exchange, contentType, rules, options);
  } catch (error) {
    // What still comes must not hold up the connection.
    input.discard();
    throw error;
  }
}

async function readAny(
  exchange: Exchange,
  contentType: string,
  rules: FormRules,
  options: FormOptions,
): Promise<Form> {
  const limits = limitsOf(rules.limits, options);
  const type = mediaTypeOf(contentType);
  switch (type) {
    case URLENCODED:
      return await readUrlencoded(
        exchange,
        paramsOf(contentType),
        limits,
        rules,
      );
    case MULTIPART:
      return await readUpload(
        exchange,
        paramsOf(contentType),
        limits,
        rules,
        options,
      );
    case "":
      if (await exchange.input.read() === null) return emptyForm();
      throw unsupported("it has no Content-Type");
  }
  throw unsupported(
    `its Content-Type is ${type}, and only ${MULTIPART} and ${URLENCODED} are read`,
  );
}

function mediaTypeOf(contentType: string): string {
  return contentType.split(";")[0]!.trim().toLowerCase();
}

function paramsOf(contentType: string): ReadonlyMap<string, string> {
  const parsed = parseHeaderValue(contentType);
  if (parsed !== null) return parsed.params;
  throw malformed(
    `its Content-Type has parameters that cannot be read: ${contentType}`,
  );
}

function limitsOf(limits: Limits, options: FormOptions): Limits {
  const {
    maxFormBytes = limits.maxFormBytes,
    maxUploadBytes = limits.maxUploadBytes,
    maxFormParts = limits.maxFormParts,
  } = options;
  return resolveLimits({
    ...limits,
    maxFormBytes,
    maxUploadBytes,
    maxFormParts,
  });
}

function emptyForm(): Form {
  return { fields: new URLSearchParams(), files: new UploadedFiles([]) };
}

async function readUrlencoded(
  exchange: Exchange,
  params: ReadonlyMap<string, string>,
  { maxFormBytes, maxFormParts }: Limits,
  rules: TextRules,
): Promise<Form> {
  const bytes = await readWithin(exchange, maxFormBytes, formTooLarge);
  const raw = splitUrlencoded(bytes, maxFormParts);
  const decode = textDecoderOf(
    [charsetField(raw), params.get("charset")],
    rules,
  );
  const form = emptyForm();
  for (const { name, value } of raw) {
    form.fields.append(decode(name), decode(value));
  }
  return form;
}

/** Reads a whole body into memory. */
async function readWithin(
  { input, contentLength }: Exchange,
  limit: number,
  tooLarge: (limit: number, actual: number) => Error,
): Promise<Uint8Array<ArrayBuffer>> {
  if (contentLength > limit) throw tooLarge(limit, contentLength);
  if (contentLength >= 0) return await input.all(contentLength);
  const body = new Gathered();
  for (;;) {
    const chunk = await input.read();
    if (chunk === null) return body.bytes;
    if (body.length + chunk.length > limit) {
      throw tooLarge(limit, body.length + chunk.length);
    }
    body.add(chunk);
  }
}

/**
 * Reads the body of a form into memory, whatever kind it is of.
 *
 * @param exchange The request.
 * @param contentType Its Content-Type.
 * @param limits The limits in force.
 * @returns The bytes.
 * @throws {LimitError} `FORM_TOO_LARGE` or `UPLOAD_TOO_LARGE`.
 */
export async function readFormBytes(
  exchange: Exchange,
  contentType: string,
  { maxFormBytes, maxUploadBytes }: Limits,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return mediaTypeOf(contentType) === URLENCODED
      ? await readWithin(exchange, maxFormBytes, formTooLarge)
      : await readWithin(exchange, maxUploadBytes, uploadTooLarge);
  } catch (error) {
    exchange.input.discard();
    throw error;
  }
}

async function readUpload(
  exchange: Exchange,
  params: ReadonlyMap<string, string>,
  limits: Limits,
  rules: FormRules,
  { directory }: FormOptions,
): Promise<Form> {
  const { input, contentLength } = exchange;
  const { maxUploadBytes } = limits;
  if (contentLength > maxUploadBytes) {
    throw uploadTooLarge(maxUploadBytes, contentLength);
  }
  const { readMultipart } = await import("./multipart.ts");
  const files = new TemporaryFiles(exchange, rules, directory);
  const reading = readMultipart({ input, params, limits, rules, files });
  rules.awaitCleaning(exchange, cleanUp(exchange, files, reading));
  try {
    return await reading;
  } catch (error) {
    await files.remove();
    throw error;
  }
}

/** Once the request has ended, however it did, nothing of it stays. */
async function cleanUp(
  exchange: Exchange,
  files: TemporaryFiles,
  reading: Promise<Form>,
): Promise<void> {
  await exchange.completed.catch(() => {});
  // Which fails, as the input does.
  await reading.catch(() => {});
  await files.remove();
}
