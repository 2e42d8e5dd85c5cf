/** The client of the page's own server. */
import { createClient } from "tillerjs/client";

export const tiller = createClient();
