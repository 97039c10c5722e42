// A stand-in for @std/streams where JSR is out of reach: the same names and
// signatures, adapting node:stream/consumers. Not part of the published package.

import { arrayBuffer, blob, json, text } from "node:stream/consumers";

type Source = Parameters<typeof text>[0];

/** Reads a stream to its end, as an ArrayBuffer. */
export async function toArrayBuffer(
  readableStream: ReadableStream<Uint8Array>,
): Promise<ArrayBuffer> {
  return await arrayBuffer(readableStream as Source);
}

/** Reads a stream to its end, as a Blob. */
export async function toBlob(
  stream: ReadableStream<Uint8Array>,
): Promise<Blob> {
  return await blob(stream as Source) as unknown as Blob;
}

/** Reads a stream to its end, as JSON. */
export async function toJson(readableStream: ReadableStream): Promise<unknown> {
  return await json(readableStream as Source);
}

/** Reads a stream to its end, as text. */
export async function toText(readableStream: ReadableStream): Promise<string> {
  return await text(readableStream as Source);
}
