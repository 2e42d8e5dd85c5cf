/** A page that creates a client. */
import { createClient } from "tillerjs/client";

globalThis.tiller = createClient();
