import type { Application, RunOptions } from "../application.ts";
export async function run(app: Application, options?: RunOptions) {
  const s = app.listen(options!.bind as never);
  await s.finished;
}
