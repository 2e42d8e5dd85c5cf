/** This side of the port has all that the port asks for, or this file has an error. */
import type { BytesPort } from "../port.ts";
import * as side from "./index.ts";

side satisfies BytesPort;
