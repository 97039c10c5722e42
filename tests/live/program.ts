// The program under test: the command that runs it, and how it is started.

import { Program } from "../support/program.ts";
import { IS_ROOT } from "./web_server.ts";
import type { WebServer } from "./web_server.ts";

/** The permissions that each kind of address needs, as the README says. */
export const PERMISSIONS = {
  inherited: ["--allow-net"],
  tcp: ["--allow-net"],
  unix: ["--allow-net", "--allow-read", "--allow-write"],
} as const;

const ROOT = new URL("../../", import.meta.url);

/** A program of this folder, and how it runs. */
export interface Run {
  /** Its file. */
  readonly file?: string;
  readonly permissions?: readonly string[];
  readonly args?: readonly string[];
}

/** The command that runs a program, by default the one under test. */
export function appCommand(run: Run): string[] {
  return denoRun(Deno.execPath(), ROOT.pathname, run);
}

function denoRun(
  deno: string,
  root: string,
  { file = "app.ts", permissions = [], args = [] }: Run,
): string[] {
  const main = `${root}tests/live/${file}`;
  return [deno, "run", "--no-prompt", ...permissions, main, ...args];
}

/**
 * The command for a web server that starts the program. Where it does so as
 * another user, who may not look where Deno and these files are, it is of
 * copies in a folder.
 */
export async function startedCommand(
  { changesUser }: WebServer,
  folder: string,
  run: Run = { permissions: PERMISSIONS.inherited },
): Promise<string[]> {
  if (!IS_ROOT || !changesUser) return appCommand(run);
  const deno = `${folder}/deno-program`;
  try {
    await Deno.link(Deno.execPath(), deno);
  } catch {
    await Deno.copyFile(Deno.execPath(), deno);
    await Deno.chmod(deno, 0o755);
  }
  for (const part of ["mod.ts", "src", "tests/live", "tests/support"]) {
    await copy(new URL(part, ROOT).pathname, `${folder}/app/${part}`);
  }
  return denoRun(deno, `${folder}/app/`, run);
}

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(to.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(from, to);
    await Deno.chmod(to, 0o644);
    return;
  }
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    await copy(`${from}/${name}`, `${to}/${name}`);
  }
}

/** A program that listens. */
export interface App extends AsyncDisposable {
  readonly program: Program;
  /** Where: the path of a Unix socket, or `host:port`. */
  readonly address: string;
}

/** A free port of this machine, for {@linkcode startApp}. */
export const FREE_PORT = "127.0.0.1:0";

/** Starts the program under test on an address. */
export async function startOn(address: string): Promise<App> {
  const program = await startApp(address);
  const [, where] = await program.until(LISTENING);
  return {
    program,
    address: where!.replace(/^unix:/, ""),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

const LISTENING = /^Listening for FastCGI on (\S+)$/;

/** Starts a program on an address, by default the one under test. */
export async function startApp(
  address: string,
  command: readonly string[] = appCommand({
    permissions: address.startsWith("/") ? PERMISSIONS.unix : PERMISSIONS.tcp,
  }),
): Promise<Program> {
  const [name, ...args] = command;
  const mode = address.startsWith("/") ? ["--mode", "0666"] : [];
  const app = new Program(name!, {
    args: [...args, "--bind", address, ...mode],
    // It may be several processes, on a busy machine.
    deadlineMs: 100_000,
  });
  try {
    await app.until(LISTENING);
  } catch (error) {
    await app.stop();
    throw error;
  }
  return app;
}
