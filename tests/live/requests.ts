// The requests that every web server is given, the same for all of them.

import { bodiesArrive } from "./requests/bodies.ts";
import { featuresAreTold } from "./requests/features.ts";
import { failuresShow } from "./requests/failures.ts";
import { headersArrive } from "./requests/headers.ts";
import { mountsAreTakenOff } from "./requests/mounts.ts";
import { responsesArrive } from "./requests/responses.ts";
import { secureRequestsArrive } from "./requests/secure.ts";
import { urlsArrive } from "./requests/urls.ts";
import type { Live } from "./live.ts";

/** Registers the tests. */
export function answersRequests(live: () => Live): void {
  urlsArrive(live);
  mountsAreTakenOff(live);
  headersArrive(live);
  bodiesArrive(live);
  responsesArrive(live);
  failuresShow(live);
  secureRequestsArrive(live);
  featuresAreTold(live);
}
