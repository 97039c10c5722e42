// Runs the application that the environment variable APP names, as a program
// of its own, mounted where MOUNT tells.

import { Gateway } from "../../../mod.ts";

const { default: app } = await import(`./${Deno.env.get("APP")}_app.ts`);
await new Gateway(app, { mount: Deno.env.get("MOUNT") ?? "" }).run();
