// FileAnswer: a request that is answered with a file: what sends files sees of
// it. It is loaded with the first file.

import { sendFile } from "./files/send_file.ts";
import type { FileResponse } from "./files/send_file.ts";
import type { SendFileOptions } from "./files/options.ts";
import { Role } from "./protocol/constants.ts";
import type { ResponseDefaults } from "./response_headers.ts";
import type { Exchange } from "./server/exchange.ts";

/** What a file is an answer to. */
export interface FileAnswer {
  /** The request. */
  readonly exchange: Exchange;
  /** The response, which has not begun. */
  readonly response: FileResponse;
  /** What the application says of responses. */
  readonly defaults: ResponseDefaults;
  /** The file's path. */
  readonly path: string | URL;
  /** What else is said of it. */
  readonly options: SendFileOptions;
  /** Whether the response still is the file's. */
  isCurrent(): boolean;
}

/**
 * Answers a request with a file.
 *
 * @param answer The request, the response and the file.
 */
export async function answerWithFile(
  { exchange, response, defaults, path, options, isCurrent }: FileAnswer,
): Promise<void> {
  const request = {
    isResponder: exchange.role === Role.RESPONDER,
    defaultType: defaults.contentType,
    handOver: defaults.handOver,
    param: (name: string) => exchange.param(name),
    mayAddCookie: () => exchange.hold !== null,
    isWanted: () => exchange.isOpen && isCurrent(),
    giveUp: async () => {
      if (!exchange.isOpen) await exchange.write("");
    },
  };
  // While this was loaded, the client may have gone.
  if (!request.isWanted()) return await request.giveUp();
  await sendFile(response, request, path, options);
}
