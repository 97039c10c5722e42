import { answersRequests } from "./requests.ts";
import { caddy } from "./servers/caddy.ts";
import { liveOf, suiteWith } from "./suite.ts";

suiteWith([caddy], `Application behind ${caddy.name}`, () => {
  answersRequests(liveOf(caddy));
});
