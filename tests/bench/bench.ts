// `deno task bench`: the server against the runtime's own limit, and against
// libfcgi in C, under load.
//
//   deno task bench [case ...] [--rounds N] [--seconds S] [--markdown]
//
// Cases: hello, one, tcp, upload, download, gateway, http, hono, libfcgi, idle,
// open, workers, start; all of them, in some five minutes, by default. The load
// generator is built with `cc`.

import { parseArgs } from "node:util";
import { libfcgiCases, LOAD_CASES } from "./cases.ts";
import { measureOpen, measureWorkers } from "./many.ts";
import { measureIdle, measureLoad, measureStart } from "./measure.ts";
import type { Effort, Table } from "./measure.ts";
import { build, describePinning } from "./processes.ts";
import type { Built } from "./processes.ts";
import { describeMachine, toMarkdown, toText } from "./report.ts";

const NAMES: readonly string[] = [
  ...LOAD_CASES.map(({ name }) => name),
  "libfcgi",
  "idle",
  "open",
  "workers",
  "start",
];

function readArguments(): {
  names: readonly string[];
  effort: Effort;
  isMarkdown: boolean;
} {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "9" },
      seconds: { type: "string", default: "0.7" },
      markdown: { type: "boolean", default: false },
    },
  });
  for (const name of positionals) {
    if (NAMES.includes(name)) continue;
    throw new TypeError(
      `There is no case "${name}": it is one of ${NAMES.join(", ")}`,
    );
  }
  const effort = {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
  };
  if (!(effort.rounds >= 1 && effort.rounds <= 1000)) {
    throw new RangeError(`--rounds is 1 to 1000, not ${values.rounds}`);
  }
  if (!(effort.seconds >= 0.05 && effort.seconds <= 60)) {
    throw new RangeError(`--seconds is 0.05 to 60, not ${values.seconds}`);
  }
  return {
    names: positionals.length > 0 ? positionals : NAMES,
    effort,
    isMarkdown: values.markdown,
  };
}

async function* measure(
  names: readonly string[],
  built: Built,
  folder: string,
  effort: Effort,
): AsyncGenerator<Table> {
  for (const loadCase of [...LOAD_CASES, ...libfcgiCases(built)]) {
    if (!names.includes(loadCase.name)) continue;
    yield await measureLoad(loadCase, built, folder, effort);
  }
  if (names.includes("idle")) yield await measureIdle(built, folder);
  if (names.includes("open")) yield await measureOpen(folder);
  if (names.includes("workers")) {
    yield await measureWorkers(built, folder, effort);
  }
  if (names.includes("start")) yield await measureStart(built);
}

const { names, effort, isMarkdown } = readArguments();
const folder = await Deno.makeTempDir({ prefix: "smisk-bench-" });
try {
  const built = await build(folder);
  console.log(`${await describeMachine()}; ${describePinning()}.\n`);
  for await (const table of measure(names, built, folder, effort)) {
    console.log(isMarkdown ? toMarkdown(table) : toText(table));
  }
  if (names.includes("libfcgi") && built.libfcgi === null) {
    console.log(
      "libfcgi: skipped, it is not installed (Debian: apt-get install libfcgi-dev).",
    );
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
