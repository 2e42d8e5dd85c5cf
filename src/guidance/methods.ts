/** Every guidance method, in listing order; each is one self-contained file. */
import { ag } from "./ag.ts";
import { autolora } from "./autolora.ts";
import { cfg } from "./cfg.ts";
import { cfgAg } from "./cfg-ag.ts";
import { cfgEdit } from "./cfg-edit.ts";
import { cfgpp } from "./cfgpp.ts";
import { none } from "./none.ts";
import { outputInterpolation } from "./output-interpolation.ts";
import { pg } from "./pg.ts";
import { pgEdit } from "./pg-edit.ts";
import { pgpp } from "./pgpp.ts";
import { sag } from "./sag.ts";
import { sagAdditive } from "./sag-additive.ts";
import { style } from "./style.ts";

export const methods = [
  none,
  cfg,
  ag,
  cfgAg,
  autolora,
  sag,
  sagAdditive,
  pg,
  outputInterpolation,
  cfgpp,
  pgpp,
  style,
  cfgEdit,
  pgEdit,
] as const;
