// Delivery of a multipart form to what reads it, cut anywhere: the next piece is
// there when the last was read, as on the wire it is only by chance.

import { readMultipart } from "../../src/forms/multipart.ts";
import { TemporaryFiles } from "../../src/forms/temporary_files.ts";
import { resolveLimits } from "../../src/options.ts";
import type { Exchange } from "../../src/server/exchange.ts";
import { Input } from "../../src/server/input.ts";
import { seen } from "./asking.ts";
import type { SeenForm } from "./asking.ts";

/**
 * Reads a form.
 *
 * @param body Its bytes.
 * @param cuts Where a piece ends and the next begins, ascending.
 * @param directory Where files go.
 * @param boundary Its boundary.
 * @returns What was read, or the message of what it failed with.
 */
export async function deliverForm(
  body: Uint8Array,
  cuts: number[],
  directory: string,
  boundary = "b",
): Promise<SeenForm | string> {
  const ends = [...cuts, body.length];
  let at = 0;
  const input = new Input({
    inputAwaited() {
      const end = ends.shift();
      if (end === undefined) input.end();
      else {
        input.push(body, at, end);
        at = end;
      }
    },
    inputTaken() {},
  });
  const exchange = { abortReason: null } as Exchange;
  const files = new TemporaryFiles(exchange, { report() {} }, directory);
  try {
    const form = await readMultipart({
      input,
      params: new Map([["boundary", boundary]]),
      limits: resolveLimits({}),
      rules: { charset: "utf-8", tolerant: true },
      files,
    });
    return await seen(form);
  } catch (error) {
    return (error as Error).message;
  } finally {
    await files.remove();
  }
}
