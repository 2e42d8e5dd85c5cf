/** Type-checks this side against the port. */
import type { BytesPort } from "../port.ts";
import * as side from "./index.ts";

side satisfies BytesPort;
