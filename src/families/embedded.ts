/** The model that comes with Tiller. */
import { join, packageFile } from "#bytes";

/** The name of the model that comes with Tiller, wherever a model is asked for. */
export const embeddedModel = "dinghy";

/** Its folder, which also holds the encoders of the metrics, `clip` and `vit`. */
export const embeddedFolder = packageFile(`models/${embeddedModel}`);

/** A folder of the embedded model. */
export const embedded = (...path: string[]): string => join(embeddedFolder, ...path);
