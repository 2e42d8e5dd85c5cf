/** Type-checks that this side exports everything the port requires. */
import type { ImagesPort } from "../port.ts";
import * as side from "./index.ts";

side satisfies ImagesPort;
