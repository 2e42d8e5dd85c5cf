/** No guidance: e(1, c). */
import { constantMix, type Guidance, strong } from "./guidance.ts";

export const none = (): Guidance => constantMix([strong("cond")], [1]);
