// A PHP application behind `Deno.serve`, with its static files beside it, and
// no other web server. From the root of the repository, as yourself:
//
//   php-fpm8.2 --nodaemonize --prefix "$(mktemp -d)" \
//     --fpm-config "$PWD/examples/php/fpm.conf"
//   deno run --allow-net --allow-read --allow-write=/tmp/smisk-php.sock \
//     --unstable-no-legacy-abort examples/php/app.ts
//
// and see http://127.0.0.1:8080/. Arguments: where PHP-FPM listens, the folder
// that is served, and the port. What is served and what is executed, site.ts
// decides.

import { FastCGIClient } from "@smisk/smisk/client";
import { phpSite } from "./site.ts";

const [
  address = "/tmp/smisk-php.sock",
  root = new URL("public", import.meta.url).pathname,
  port = "8080",
] = Deno.args;

// No more connections than fpm.conf has processes: each holds one.
const php = new FastCGIClient(address, { maxConnections: 5 });

const server = Deno.serve(
  {
    hostname: "127.0.0.1",
    port: Number(port),
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/`),
  },
  await phpSite({ php, root, uploads: ["/uploads/"] }),
);

const stop = () => server.shutdown();
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.addSignalListener(signal, stop);
}
await server.finished;
php.close();
Deno.exit();
