/** Type-checks this side against the port. */
import type { HubPort } from "../port.ts";
import * as side from "./index.ts";

side satisfies HubPort;
