/** A model that is open and draws. */
import { TillerError } from "../errors/index.ts";
import type { ModelDefaults } from "../families/family.ts";
import type { PictureRequest } from "../recipe/request.ts";
import type { Device, OperatorTime, Precision } from "../runtime/index.ts";
import { checked, fill, usualOf } from "./fill.ts";
import { readGiven } from "./given-picture.ts";
import { type LoadOptions, loadParts, type Parts } from "./load.ts";
import { type GenerateEvent, type GenerateOptions, textToImage } from "./text-to-image.ts";

export type { GenerateEvent, GenerateOptions, PictureEvent, StepEvent, WarningEvent } from "./text-to-image.ts";

/** A model that is open and draws. */
export interface Pipeline {
  /** Sessions built so far: changing omega, the prompt, the method, or adapters of the same modules builds none. */
  readonly sessionsBuilt: number;
  /** The defaults of a request: the model's, with the current adapters. */
  readonly defaults: ModelDefaults;
  /** The device it runs on. */
  readonly device: Device;
  /** The number type of matrix products. */
  readonly precision: Precision;
  /**
   * Generates pictures, step by step. Several calls may run at once, but only one with a base model.
   *
   * @throws TillerError if the request is wrong, before anything is computed.
   */
  generate(request: PictureRequest, options?: GenerateOptions): AsyncGenerator<GenerateEvent, void, undefined>;
  /** Replaces the adapters (`file`, `file:strength`, or objects). */
  setAdapters(adapters: LoadOptions["adapters"]): Promise<void>;
  /** Releases everything; with `profile`, returns the time per operator. */
  close(): Promise<readonly OperatorTime[]>;
}

/** Opens models. */
export const Pipeline = {
  /**
   * Opens a model and its adapters and builds its networks.
   *
   * @param model A Diffusers folder, a single-file checkpoint, or a hub id.
   * @throws TillerError if a part is missing or does not fit, naming the file and what to do.
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
      // The network that blends model and base is rebuilt whenever omega changes; if memory is short, all are, for each request.
      if (parts.predictor.oneAtATime && running > 0)
        throw new TillerError(
          "pipeline-busy",
          "Wait until the pictures in progress are finished: with a base model, or a model too large for memory, networks are rebuilt for each request.",
        );
      running++;
      try {
        const given = await readGiven(checked(parts, request));
        yield* textToImage(parts, fill(parts, request, given), given, options);
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
