// What is to be known of a web server so that tests can start it.

/** Where a web server is to run. */
export interface Place {
  /** Where its files go. */
  readonly folder: string;
  /** Where it is to listen for HTTP, on 127.0.0.1. */
  readonly port: number;
  /** Where it is to listen for HTTPS. */
  readonly securePort: number;
  /** A file with a certificate of 127.0.0.1 and its key. */
  readonly certificate: string;
}

/** The programs that a web server is to be in front of. */
export interface Behind {
  /** Those that listen: paths of Unix sockets, or `host:port`. */
  readonly addresses?: readonly string[];
  /** Or the command of one that the web server starts itself. */
  readonly command?: readonly string[];
  /** How many of those it starts. */
  readonly processes?: number;
  /** The path below which they are, without a slash at its end. */
  readonly mount?: string;
  /**
   * Where an Authorizer of what is below `/guarded/` listens; empty for the
   * command.
   */
  readonly authorizer?: string;
}

/** A web server. */
export interface WebServer {
  /** What the README calls it. */
  readonly name: string;
  /** Its program. */
  readonly command: string;
  /** Whether it can be in front of a program that listens. */
  readonly connects: boolean;
  /** Whether it can start the program itself. */
  readonly starts: boolean;
  /** Which of these the README has it do. */
  readonly shown: "connects" | "starts";
  /** Whether it starts programs as another user than the superuser. */
  readonly changesUser?: boolean;
  /** What it says where another program has its port. */
  readonly portTaken: RegExp;
  /** What ends it at once, where SIGTERM waits for idle connections. */
  readonly stop?: Deno.Signal;
  /** Files without which it cannot run, besides its program. */
  readonly needs?: readonly string[];
  /** Where an Authorizer may be that it asks; without it, it asks none. */
  readonly asksAuthorizer?: "Unix" | "TCP" | "command";
  /** Whether what a program logs comes to its log. */
  readonly logs: boolean;
  /** Whether it can be in front of several programs that listen. */
  readonly balances: boolean;
  /** Writes its configuration; gives the arguments to start it with. */
  configure(place: Place, behind: Behind): Promise<readonly string[]>;
}

/** Whether tests run as the superuser, whom web servers handle otherwise. */
export const IS_ROOT = Deno.uid() === 0;

/** The one program that listens, where a web server knows no more. */
export function onlyAddress({ addresses = [] }: Behind): string {
  if (addresses.length === 1) return addresses[0]!;
  throw new Error(`Of ${addresses.length} programs that listen, one is taken`);
}

/**
 * Writes a script that becomes a program: a command of one word, for those that
 * know no quotes.
 */
export async function scriptOf(
  folder: string,
  command: readonly string[] = [],
): Promise<string> {
  const script = `${folder}/hello.fcgi`;
  const quoted = command.map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(script, `#!/bin/sh\nexec ${quoted}\n`);
  await Deno.chmod(script, 0o755);
  return script;
}

let denoDir: string | null = null;

/** Where Deno's cache is. */
export async function denoCache(): Promise<string> {
  if (denoDir === null) {
    const info = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json"],
    }).output();
    denoDir = JSON.parse(new TextDecoder().decode(info.stdout)).denoDir;
  }
  return denoDir!;
}
