/** This side of the port has all that the port asks for, or this file has an error. */
import type { RuntimePort } from "../port.ts";
import * as side from "./index.ts";

side satisfies RuntimePort;
