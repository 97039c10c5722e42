import { answersRequests } from "./requests.ts";
import { h2o } from "./servers/h2o.ts";
import { liveOf, suiteWith } from "./suite.ts";

suiteWith([h2o], `Application behind ${h2o.name}`, () => {
  answersRequests(liveOf(h2o));
});
