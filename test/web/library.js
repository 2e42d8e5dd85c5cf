/** A page that imports the library; the test checks the bundle. */
import { Pipeline } from "tillerjs";

globalThis.load = Pipeline.load;
