import { answersRequests } from "./requests.ts";
import { nginx } from "./servers/nginx.ts";
import { liveOf, suiteWith } from "./suite.ts";

suiteWith([nginx], `Application behind ${nginx.name}`, () => {
  answersRequests(liveOf(nginx));
});
