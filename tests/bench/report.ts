// What the benchmarks print: aligned text, or Markdown for the README.

import type { Row, Table } from "./measure.ts";

const decoder = new TextDecoder();

/** The machine on one line. */
export async function describeMachine(): Promise<string> {
  const cores = navigator.hardwareConcurrency;
  let cpu = Deno.build.arch as string;
  try {
    const info = await Deno.readTextFile("/proc/cpuinfo");
    cpu = /^model name\s*:\s*(.+)$/m.exec(info)?.[1] ?? cpu;
  } catch {
    // Not everywhere is /proc.
  }
  const { stdout } = await new Deno.Command("uname", { args: ["-sr"] })
    .output();
  const system = decoder.decode(stdout).trim();
  return `Deno ${Deno.version.deno} (V8 ${Deno.version.v8}), ${cores} ${
    cores === 1 ? "core" : "cores"
  } of ${cpu}, ${system}`;
}

function describeValue({ value, unit = "" }: Row): string {
  if (value === null) return "";
  const digits = unit === "" ? 2 : 1;
  const [median, least, most] = [value.median, value.least, value.most]
    .map((number) => number.toFixed(digits));
  return least === most
    ? `${median}${unit}`
    : `${median}${unit} (${least}-${most})`;
}

function describeGoal(row: Row): string {
  const { value, goal, aim, isMost = false, unit = "" } = row;
  if (value === null || goal === undefined) return "";
  const isMet = isMost ? value.median <= goal : value.median >= goal;
  const aimed = aim === undefined ? "" : `, aim ${aim}`;
  return `${isMost ? "≤" : "≥"} ${goal}${unit}${aimed}: ${
    isMet ? "met" : "NOT MET"
  }`;
}

function cells({ columns, rows }: Table): string[][] {
  return [
    ["", ...columns, "goal"],
    ...rows.map((row) => [
      row.name,
      ...row.figures,
      describeValue(row),
      describeGoal(row),
    ]),
  ];
}

/** A table as aligned text. */
export function toText(table: Table): string {
  const lines = cells(table);
  const widths = lines[0]!.map((_, column) =>
    Math.max(...lines.map((line) => line[column]!.length))
  );
  const text = lines.map((line) =>
    "  " +
    line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
    ).join("   ").trimEnd()
  );
  return [table.title, ...text, ""].join("\n");
}

/** A table as Markdown. */
export function toMarkdown(table: Table): string {
  const [head, ...lines] = cells(table);
  const row = (line: string[]) => `| ${line.join(" | ")} |`;
  return [
    `**${table.title}**`,
    "",
    row(head!),
    row(head!.map((_, column) => column === 0 ? "---" : "---:")),
    ...lines.map(row),
    "",
  ].join("\n");
}
