/** Type-checks this side against the port. */
import type { RuntimePort } from "../port.ts";
import * as side from "./index.ts";

side satisfies RuntimePort;
