/** A model that is open and draws. */
import { TillerError } from "../errors/index.ts";
import type { ModelDefaults } from "../families/family.ts";
import type { PictureRequest } from "../recipe/request.ts";
import type { Device, OperatorTime, Precision } from "../runtime/index.ts";
import { fill, usualOf } from "./fill.ts";
import { type LoadOptions, loadParts, type Parts } from "./load.ts";
import { type GenerateEvent, type GenerateOptions, textToImage } from "./text-to-image.ts";

export type { GenerateEvent, GenerateOptions, PictureEvent, StepEvent, WarningEvent } from "./text-to-image.ts";

/** A model that is open and draws. */
export interface Pipeline {
  /** Sessions built so far: moving omega, the prompt, the method or covered adapters builds none. */
  readonly sessionsBuilt: number;
  /** What a request that leaves it open gets: the model's, with the adapters that are there now. */
  readonly defaults: ModelDefaults;
  /** The device that computes. */
  readonly device: Device;
  /** What products are computed in. */
  readonly precision: Precision;
  /**
   * Generates pictures, step by step. Several may be under way at once, but only one where there is a base.
   *
   * @throws TillerError if the request is wrong, before anything is computed.
   */
  generate(request: PictureRequest, options?: GenerateOptions): AsyncGenerator<GenerateEvent, void, undefined>;
  /** Takes other adapters (`file`, `file:strength`, or both apart). */
  setAdapters(adapters: LoadOptions["adapters"]): Promise<void>;
  /** Releases everything; with `profile`, the time per operator. */
  close(): Promise<readonly OperatorTime[]>;
}

/** Opens models. */
export const Pipeline = {
  /**
   * Opens a model and its adapters and builds its networks.
   *
   * @param model A Diffusers folder, a single-file checkpoint, or a hub id.
   * @throws TillerError naming the file and what to do, if a part is missing or does not fit.
   */
  load: async (model: string, options: LoadOptions = {}): Promise<Pipeline> =>
    pipelineOf(await loadParts(model, options)),
};

function pipelineOf(parts: Parts): Pipeline {
  let running = 0;
  return {
    get defaults() {
      return usualOf(parts);
    },
    device: parts.engine.device,
    precision: parts.engine.precision,
    get sessionsBuilt() {
      return parts.engine.sessionsBuilt;
    },
    async *generate(request, options = {}) {
      // The network between model and base is rebuilt for another omega; where memory is short, all are for another prompt.
      if (parts.predictor.oneAtATime && running > 0)
        throw new TillerError(
          "pipeline-busy",
          "Wait until the pictures under way are finished: with a base model, or a model that memory holds in parts alone, networks are rebuilt for each request.",
        );
      running++;
      try {
        yield* textToImage(parts, fill(parts, request), options);
      } finally {
        running--;
      }
    },
    async setAdapters(adapters) {
      if (running > 0)
        throw new TillerError("pipeline-busy", "Adapters cannot change while pictures are being generated.");
      await parts.setAdapters(adapters ?? []);
    },
    close: () => parts.engine.close(),
  };
}
