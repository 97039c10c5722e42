// The errors of forms that cannot be read.

import { FastCgiError, LimitError } from "../errors.ts";

/**
 * The error of a form that is none.
 *
 * @param why What is wrong with it.
 * @returns The error.
 */
export function malformed(why: string): FastCgiError {
  return new FastCgiError("FORM_MALFORMED", `Cannot read the form: ${why}`, {
    status: 400,
  });
}

/**
 * The error of a form of a kind that is not read.
 *
 * @param why What kind it is.
 * @returns The error.
 */
export function unsupported(why: string): FastCgiError {
  return new FastCgiError("UNSUPPORTED_FORM", `Cannot read the form: ${why}`, {
    status: 415,
  });
}

/**
 * The error of text that is not of its charset.
 *
 * @param why What is wrong with it.
 * @param cause What the decoder said.
 * @returns The error.
 */
export function undecodable(why: string, cause?: unknown): FastCgiError {
  return new FastCgiError(
    "TEXT_UNDECODABLE",
    `Cannot read the text of the form: ${why}`,
    { status: 400, cause },
  );
}

/**
 * The error of a form whose text is too long to hold.
 *
 * @param limit The limit in bytes.
 * @param actual The bytes announced or received.
 * @returns The error.
 */
export function formTooLarge(limit: number, actual: number): LimitError {
  return new LimitError(
    "FORM_TOO_LARGE",
    `The form is larger than maxFormBytes allows: ${actual} bytes, where ${limit} are allowed`,
    limit,
    actual,
    { status: 413 },
  );
}

/**
 * The error of an upload past its limit.
 *
 * @param limit The limit in bytes.
 * @param actual The bytes announced or received.
 * @returns The error.
 */
export function uploadTooLarge(limit: number, actual: number): LimitError {
  return new LimitError(
    "UPLOAD_TOO_LARGE",
    `The upload is larger than maxUploadBytes allows: ${actual} bytes, where ${limit} are allowed`,
    limit,
    actual,
    { status: 413 },
  );
}

/**
 * The error of a form of too many fields and files.
 *
 * @param limit How many there may be.
 * @returns The error.
 */
export function tooManyParts(limit: number): LimitError {
  return new LimitError(
    "TOO_MANY_PARTS",
    `The form has more fields and files than maxFormParts allows: ${limit}`,
    limit,
    limit + 1,
    { status: 413 },
  );
}
