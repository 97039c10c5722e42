import { answersRequests } from "./requests.ts";
import { haproxy } from "./servers/haproxy.ts";
import { liveOf, suiteWith } from "./suite.ts";

suiteWith([haproxy], `Application behind ${haproxy.name}`, () => {
  answersRequests(liveOf(haproxy));
});
