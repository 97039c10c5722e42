// What the README's table says of a web server, against what it does.

import { assertEquals } from "@std/assert";
import { afterAll, beforeAll, it } from "@std/testing/bdd";
import { DEADLINE_MS } from "../../support/peer.ts";
import { FEATURES } from "../features.ts";
import type { Live } from "../live.ts";
import { comparable, readTable } from "../table.ts";
import { Trial } from "../trial.ts";

/** Milliseconds to wait for what is not expected to happen. */
const LITTLE_HOPE_MS = 500;

/** Registers the tests. */
export function featuresAreTold(live: () => Live): void {
  let trial: Trial | undefined;
  beforeAll(() => {
    trial = new Trial(live());
  });
  afterAll(async () => {
    await trial?.[Symbol.asyncDispose]();
  });

  for (const { name, never, find } of FEATURES) {
    it(`the README tells: ${name}`, async () => {
      const told = readTable().get(name)?.get(live().webServer.name);
      trial!.hopeMs = told === never ? LITTLE_HOPE_MS : DEADLINE_MS;
      const found = await find(trial!);
      assertEquals(
        comparable(found),
        comparable(told ?? ""),
        `"${name}" of ${live().webServer.name} is "${found}"; where that is right, run \`deno task servers\``,
      );
    });
  }
}
