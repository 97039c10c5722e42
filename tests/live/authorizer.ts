// The program under test as an Authorizer: what it decides, its path says.

import { HttpError } from "../../mod.ts";
import type { ServiceRequest, ServiceResponse } from "../../mod.ts";

/** Decides by the last segment of the path. */
export function authorize(
  request: ServiceRequest,
  response: ServiceResponse,
): void {
  switch (request.url.pathname.split("/").at(-1)) {
    case "allowed":
      response.status = 200;
      response.headers.set("Variable-AUTH_USER", "alice");
      return;
    case "denied":
      response.status = 403;
      response.headers.set("content-type", "text/plain");
      response.write("denied, for a reason");
      return;
    case "failing":
      throw new Error("deliberate failure");
    case "missing":
      throw new HttpError(404, "No such page");
  }
  // What decides nothing denies.
}
