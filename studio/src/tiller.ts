/** The server that this page is of. */
import { createClient } from "tillerjs/client";

export const tiller = createClient();
