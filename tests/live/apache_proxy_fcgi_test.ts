import { answersRequests } from "./requests.ts";
import { proxyFcgi } from "./servers/apache.ts";
import { liveOf, suiteWith } from "./suite.ts";

suiteWith([proxyFcgi], `Application behind ${proxyFcgi.name}`, () => {
  answersRequests(liveOf(proxyFcgi));
});
