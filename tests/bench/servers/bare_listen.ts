// The least program that listens: what the start of a server is compared with.

const port = Number(Deno.args[0]);
for await (
  const connection of Deno.listen({ hostname: "127.0.0.1", port })
) {
  connection.close();
}
