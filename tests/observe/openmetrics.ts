// The reference parser of OpenMetrics: Debian's python3-prometheus-client.

/** The system's own: another may know nothing of its packages. */
const PYTHON = "/usr/bin/python3";

/** Whether it is installed. */
export const HAS_PARSER: boolean = await hasParser();

/**
 * Has it read metrics; fails where it refuses them.
 *
 * @param text The metrics.
 * @returns A line for each family: its name, type, unit and samples.
 */
export async function parseMetrics(text: string): Promise<string[]> {
  const { success, stdout, stderr } = await run(
    `
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
  print(family.name, family.type, family.unit, len(family.samples))
`,
    text,
  );
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${decoder.decode(stderr)}\n${text}`);
  return decoder.decode(stdout).trimEnd().split("\n");
}

async function hasParser(): Promise<boolean> {
  try {
    if (!Deno.statSync(PYTHON).isFile) return false;
  } catch {
    return false;
  }
  const { success } = await run(
    "import prometheus_client.openmetrics.parser",
    "",
  );
  return success;
}

async function run(code: string, input: string): Promise<Deno.CommandOutput> {
  const child = new Deno.Command(PYTHON, {
    args: ["-c", code],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  return await child.output();
}
