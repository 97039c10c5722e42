// A program that a web server starts, and that hands every connection on to a
// Unix socket: for those that start programs and connect to none.

import { createConnection, createServer } from "node:net";
import { pipeline } from "node:stream";

const [path] = Deno.args;
const options = { allowHalfOpen: true };

createServer(options, (socket) => {
  const other = createConnection({ path: path!, ...options });
  // Where one of them fails, both end.
  pipeline(socket, other, () => {});
  pipeline(other, socket, () => {});
}).listen({ fd: 0 });
