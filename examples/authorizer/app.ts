// An Authorizer (FastCGI 1.0, section 6.3): it says who may have what another
// one serves, and who they are. Start it with:
//
//   deno run --allow-net examples/authorizer/app.ts
//
// lighttpd asks it in that role, and passes on what it tells in `Variable-*`.
// nginx, which knows no roles, asks it as auth_request asks anything: for it,
// every status from 200 to 299 is a yes.

import { Application } from "@smisk/smisk";

/** Of everybody, the password: an example's, in plain text. */
const PASSWORDS = new Map([["ada", "lovelace"], ["grace", "hopper"]]);

class Guard extends Application {
  override service() {
    const { request, response } = this;
    const user = whoIs(request.headers.get("authorization") ?? "");
    if (user === null) {
      response.status = 401;
      response.headers.set("www-authenticate", 'Basic realm="Members"');
      response.write("<p>This is for members.</p>\n");
      return;
    }
    response.status = 200;
    // lighttpd takes it off again: what is served finds it as AUTH_USER.
    response.headers.set("variable-auth_user", user);
    response.headers.set("x-auth-user", user);
  }
}

/** Whose name and password a header holds, null where they are wrong. */
function whoIs(authorization: string): string | null {
  const [, encoded] = /^basic ([a-z0-9+/=]+)$/i.exec(authorization) ?? [];
  if (encoded === undefined) return null;
  let plain: string;
  try {
    plain = atob(encoded);
  } catch {
    return null;
  }
  const colon = plain.indexOf(":");
  const user = plain.slice(0, colon);
  return colon > 0 && PASSWORDS.get(user) === plain.slice(colon + 1)
    ? user
    : null;
}

await new Guard().run();
