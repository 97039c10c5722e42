// Running the program beside this file, with the permissions under test.

import { isInstalled, Program } from "../support/program.ts";
import type { ProgramOptions } from "../support/program.ts";
import { Peer } from "../support/peer.ts";
import { request } from "../support/wire.ts";
import type { Answer } from "../support/wire.ts";
import { file, MULTIPART, parts } from "./asking.ts";

/** Whether a terminal can be given to a program, which could then prompt. */
export const HAS_TERMINAL: boolean = isInstalled("script");

const PROGRAM = new URL("./program.ts", import.meta.url).pathname;

/** How it is started. */
export interface StartOptions extends ProgramOptions {
  /** Whether it has a terminal. */
  terminal?: boolean;
  /** The longest file that it may write, in blocks of 512 bytes. */
  mostBlocks?: number;
}

/** Starts it. */
export function start(
  flags: readonly string[],
  options: StartOptions = {},
): Program {
  const args = [
    "run",
    "--no-check",
    ...flags,
    PROGRAM,
    "--bind",
    "127.0.0.1:0",
  ];
  const { terminal = false, mostBlocks } = options;
  const command = [Deno.execPath(), ...args].map((word) => `'${word}'`)
    .join(" ");
  if (terminal) {
    return new Program("script", {
      ...options,
      args: ["--quiet", "--command", command, "/dev/null"],
    });
  }
  if (mostBlocks !== undefined) {
    // Without the trap, the first byte too many would end it.
    const limited = `trap "" XFSZ; ulimit -f ${mostBlocks}; exec ${command}`;
    return new Program("sh", { ...options, args: ["-c", limited] });
  }
  return new Program(Deno.execPath(), { ...options, args });
}

/** Waits until it listens. */
export async function connect(running: Program): Promise<Peer> {
  const [, port] = await running.until(
    /^Listening for FastCGI on 127\.0\.0\.1:(\d+)\s*$/,
  );
  return Peer.connect({ hostname: "127.0.0.1", port: Number(port) });
}

/** Uploads a small file to it. */
export async function upload(
  running: Program,
  query: Record<string, string> = {},
): Promise<Answer> {
  using peer = await connect(running);
  const search = new URLSearchParams(query);
  return await peer.ask(request({
    body: parts(file("f", "a", "content")),
    params: { CONTENT_TYPE: MULTIPART, REQUEST_URI: `/?${search}` },
  }));
}
