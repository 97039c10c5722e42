import { answersRequests } from "./requests.ts";
import { fcgid } from "./servers/apache.ts";
import { liveOf, suiteWith } from "./suite.ts";

suiteWith([fcgid], `Application behind ${fcgid.name}`, () => {
  answersRequests(liveOf(fcgid));
});
