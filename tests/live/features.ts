// The features of web servers that the README's table shows: a row each, and
// what finds its cells out. What all of them do alike is no row, but a test of
// requests.ts.

import { AUTHORIZER_FEATURES } from "./features/authorizer.ts";
import { CONNECTION_FEATURES } from "./features/connections.ts";
import { REQUEST_FEATURES } from "./features/requests.ts";
import { RESPONSE_FEATURES } from "./features/responses.ts";
import type { Trial } from "./trial.ts";

/** A row of the table. */
export interface Feature {
  /** What the row says it is about. */
  readonly name: string;
  /** The cell that only waiting in vain gives. */
  readonly never?: string;
  /** Finds the cell of a web server. */
  find(trial: Trial): Promise<string>;
}

/** All rows, in their order. */
export const FEATURES: readonly Feature[] = [
  ...CONNECTION_FEATURES,
  ...AUTHORIZER_FEATURES,
  ...REQUEST_FEATURES,
  ...RESPONSE_FEATURES,
];
