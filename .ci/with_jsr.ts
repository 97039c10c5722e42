// Runs the tests with the packages of JSR in place of the stand-ins of
// offline/std: the same configuration, but for its links.

const root = new URL("../", import.meta.url);
const { links: _, ...config } = JSON.parse(
  await Deno.readTextFile(new URL("deno.json", root)),
);
const path = new URL("deno.with_jsr.json", root);
await Deno.writeTextFile(path, JSON.stringify(config));
try {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--doc", "--config", path.pathname, ...Deno.args],
    cwd: root,
  }).spawn().status;
  Deno.exitCode = code;
} finally {
  await Deno.remove(path);
}
