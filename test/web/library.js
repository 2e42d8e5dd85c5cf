/** What a page does with the library: imports it. The test looks at what comes of that. */
import { Pipeline } from "tillerjs";

globalThis.load = Pipeline.load;
