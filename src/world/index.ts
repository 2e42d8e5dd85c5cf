/** The embedded world: endless individuals in the scenes of the evaluation prompts. */
export { captionOf } from "./captions.ts";
export { type Concept, concepts } from "./concepts.ts";
export { type Individual, individualOf, rasterize, render, side, subjectOf } from "./render.ts";
export { subjects } from "./subjects/index.ts";
export { liveThemes, promptOf, type Theme, themesOf, thingThemes } from "./world.ts";
