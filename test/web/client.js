/** What a page does with the client: makes one. */
import { createClient } from "tillerjs/client";

globalThis.tiller = createClient();
