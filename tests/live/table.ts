// The README's table of what each web server does: read, and written by
// write_table.ts.

import type { Feature } from "./features.ts";
import type { WebServer } from "./web_server.ts";

const README = new URL("../../README.md", import.meta.url);
/** What stands before the table, and what behind it. */
const BEGIN = "<!-- written by deno task servers -->\n";
const END = "<!-- end -->\n";

/** What ends as soon as two numbers of a version differ. */
const PATCH = /(\d+\.\d+)\.\d+/g;

/** Cells by row and column. */
export type Cells = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Reads the table. */
export function readTable(): Cells {
  const [, lines] = parts();
  const [head, , ...rows] = lines.trim().split("\n").map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  const columns = head!.slice(1);
  return new Map(rows.map(([name, ...cells]) => [
    name!,
    new Map(columns.map((column, i) => [column, cells[i]!])),
  ]));
}

/** Writes the table, not yet formatted. */
export function writeTable(
  features: readonly Feature[],
  servers: readonly WebServer[],
  cells: Cells,
): void {
  const rows = features.map(({ name }) => [
    name,
    ...servers.map((server) => cells.get(name)!.get(server.name)!),
  ]);
  const head = ["", ...servers.map(({ name }) => name)];
  const lines = [head, head.map(() => "---"), ...rows].map((row) =>
    `| ${row.join(" | ")} |\n`
  );
  const [before, , after] = parts();
  Deno.writeTextFileSync(
    README,
    `${before}${BEGIN}\n${lines.join("")}\n${END}${after}`,
  );
}

function parts(): [before: string, table: string, after: string] {
  const [before, rest] = Deno.readTextFileSync(README).split(BEGIN);
  const [table, after] = rest?.split(END) ?? [];
  if (after === undefined) {
    throw new Error("README.md has lost the marks around its table of servers");
  }
  return [before!, table!, after];
}

/** A cell without what may differ from machine to machine. */
export function comparable(cell: string): string {
  return cell.replace(PATCH, "$1");
}
