import { answersRequests } from "./requests.ts";
import { lighttpd } from "./servers/lighttpd.ts";
import { liveOf, suiteWith } from "./suite.ts";

suiteWith([lighttpd], `Application behind ${lighttpd.name}`, () => {
  answersRequests(liveOf(lighttpd));
});
