// Finds out what each web server does, and writes it into the README's table:
// `deno task servers`. All of them must be installed.

import { FEATURES } from "./features.ts";
import { Live } from "./live.ts";
import { SERVERS } from "./servers.ts";
import { missing } from "./site.ts";
import { writeTable } from "./table.ts";
import { Trial } from "./trial.ts";

/** Milliseconds to wait for what may never happen. */
const HOPE_MS = 3_000;

const absent = missing(SERVERS);
if (absent.length > 0) {
  console.error(`Not installed: ${absent.join(", ")}`);
  Deno.exit(1);
}
const cells = new Map(
  FEATURES.map(({ name }) => [name, new Map<string, string>()]),
);
for (const webServer of SERVERS) {
  await using live = await Live.start(webServer);
  await using trial = new Trial(live);
  trial.hopeMs = HOPE_MS;
  for (const feature of FEATURES) {
    const cell = await feature.find(trial);
    cells.get(feature.name)!.set(webServer.name, cell);
    console.log(`${webServer.name}: ${feature.name}: ${cell}`);
  }
}
writeTable(FEATURES, SERVERS, cells);
