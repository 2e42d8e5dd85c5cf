/** Create: a prompt, and the omega dial, with each stop drawn from the same noise. */
import { type FormEvent, useId, useRef, useState } from "react";
import { isOver } from "tillerjs/client";
import { FromPicture, maskOf, painted } from "./from-picture.tsx";
import { download, Field, Frame, JobLine, NumberField, Problem } from "./parts.tsx";
import {
  type DrawingForm,
  drawingJob,
  editsPictures,
  isSteered,
  ModelAndAdapter,
  MoreSettings,
  OpenNumber,
  useDefaults,
  usualDrawing,
} from "./settings.tsx";
import { useAsked, useJob, useKept, useOneAtATime } from "./state.ts";
import { tiller } from "./tiller.ts";

export interface CreateForm extends DrawingForm {
  /** Null until the dial is moved: the adapter's default. */
  omega: number | null;
  /** An additional stop of the dial, from a picture drawn there. */
  between: number | null;
}

export const usualForm: CreateForm = { ...usualDrawing, omega: null, between: null };

/** The dial's position until the server has sent the adapter's default. */
const usualOmega = 0.6;

/** The dial's stops; the last one is cfg. */
export const usualStops = Array.from({ length: 11 }, (_, i) => i / 10);

/** The chosen stop first, then cfg, then the others by distance. */
const order = (omega: number, stops: readonly number[]) => {
  const rest = stops.filter((other) => other !== omega && other !== 1);
  rest.sort((a, b) => Math.abs(a - omega) - Math.abs(b - omega));
  return omega === 1 ? [1, ...rest] : [omega, 1, ...rest];
};

const neededToEdit =
  "The dial needs the model that this one was fine-tuned from, as base: start tiller studio with both, and choose it.";

/** The dial's method. */
const methodOf = ({ edits, steered }: { readonly edits: boolean; readonly steered: boolean }) =>
  edits ? (steered ? "pg-edit" : "cfg-edit") : steered ? "pg" : "cfg";

const told = (omega: number) => (usualStops.includes(omega) ? omega.toFixed(1) : String(omega));

export function Create() {
  const [form, setForm] = useKept("create", usualForm);
  const [drawn, setDrawn] = useKept<number[]>("create.stops", []);
  const followed = useJob("create");
  const { job, follow } = followed;
  const { busy, alone } = useOneAtATime();
  const [problem, setProblem] = useState("");
  const dial = useId();
  const canvas = useRef<HTMLCanvasElement>(null);
  const models = useAsked(tiller.models, 0).value?.map(({ name }) => name);
  const adapters = useAsked(tiller.adapters, 0).value?.map(({ name }) => name);
  const methods = useAsked(tiller.guidanceMethods, 0).value ?? [];
  // A job may have downloaded the model.
  const usual = useDefaults(form, models, adapters, job !== undefined && isOver(job));
  const edits = editsPictures(usual, methods);
  const change = (part: Partial<CreateForm>) => setForm((before) => ({ ...before, ...part }));
  const pictureAt = (omega: number) => job?.pictures[drawn.indexOf(omega)];

  // Without an adapter or a base there is no weak model: every stop would be the same picture.
  const steered = isSteered(form);
  const omega = steered ? (form.omega ?? usual.omega ?? usualOmega) : 1;
  const between = [form.between, omega].filter((at) => at !== null);
  const stops = [...new Set([...usualStops, ...between])].sort((a, b) => a - b);

  /** The form with its painted mask uploaded. */
  async function withMask(): Promise<CreateForm> {
    if (form.mask !== painted || !canvas.current) return form;
    const { id: mask } = await tiller.uploads.add([await maskOf(canvas.current)]);
    change({ mask });
    return { ...form, mask };
  }

  async function draw() {
    setProblem("");
    const omegas = steered ? order(omega, stops) : [1];
    try {
      // The new strip replaces the old one, on the server too.
      if (job && !isOver(job)) await tiller.jobs.stop(job.id);
      if (edits && form.image === null) throw new Error("drop the picture to edit first");
      const drawing = drawingJob(edits ? form : await withMask(), edits);
      const asked = await tiller.jobs.add({
        ...drawing,
        request: {
          ...drawing.request,
          ...(form.scale !== null && { scale: form.scale }),
          ...(edits && form.imageScale !== null && { imageScale: form.imageScale }),
          ...(usual.guidance !== undefined && { guidance: methodOf({ edits, steered }) }),
        },
        ...(steered && { variations: omegas.map((w) => ({ omega: w })) }),
      });
      setDrawn(omegas);
      follow(asked.id);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  const shown = pictureAt(omega);
  const usualImageScale = methods
    .flatMap(({ settings }) => settings)
    .flatMap((one) => (one.kind === "number" && one.name === "imageScale" ? one.default : []))[0];
  return (
    <div className="two">
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          void alone(draw);
        }}
      >
        <Field label={edits ? "Instruction" : "Prompt"}>
          <textarea rows={3} value={form.prompt} onChange={(e) => change({ prompt: e.target.value })} required />
        </Field>
        <ModelAndAdapter form={form} change={change} models={models} adapters={adapters} />
        <FromPicture form={form} change={change} canvas={canvas} edits={edits} />
        <div className="row">
          <OpenNumber
            label="Scale"
            value={form.scale}
            usual={usual.scale}
            min={0}
            max={100}
            step="any"
            onChange={(scale) => change({ scale })}
          />
          {edits && (
            <OpenNumber
              label="Image scale"
              value={form.imageScale}
              usual={usualImageScale}
              min={0}
              max={100}
              step="any"
              onChange={(imageScale) => change({ imageScale })}
            />
          )}
          <OpenNumber
            label="Steps"
            value={form.steps}
            usual={usual.steps}
            min={1}
            max={1000}
            onChange={(steps) => change({ steps })}
          />
          <NumberField
            label="Seed"
            value={form.seed}
            min={0}
            max={Number.MAX_SAFE_INTEGER}
            onChange={(seed) => change({ seed })}
          />
        </div>
        <MoreSettings form={form} change={change} usual={usual} />
        <div className="row">
          <button type="submit" className="main" disabled={busy}>
            Draw
          </button>
          <button type="button" onClick={() => change({ seed: Math.floor(Math.random() * 2 ** 31) })}>
            Another seed
          </button>
        </div>
        <Problem text={problem} />
        <JobLine {...followed} />
      </form>
      <section aria-label="Pictures">
        <div className="pair">
          <Frame id={shown} label={`omega ${omega}`}>
            {steered ? `omega ${told(omega)}` : edits ? "no base" : "no adapter"}{" "}
            {shown && (
              <button type="button" className="quiet" onClick={() => download(shown)}>
                Download
              </button>
            )}
          </Frame>
          {steered ? (
            <Frame id={pictureAt(1)} label="cfg, omega 1">
              CFG (omega 1)
            </Frame>
          ) : (
            <p className="note">
              {edits ? neededToEdit : "The dial needs an adapter: choose one, or make one in Personalise."}
            </p>
          )}
        </div>
        <div className="omega" style={{ ["--stops" as string]: stops.length }}>
          <div className="ends">
            <span>{edits ? "away from the base" : "the subject"}</span>
            <output htmlFor={dial}>omega {told(omega)}</output>
            <span>{edits ? "CFG" : "the text"}</span>
          </div>
          <input
            id={dial}
            type="range"
            min={0}
            max={stops.length - 1}
            step={1}
            disabled={!steered}
            value={stops.indexOf(omega)}
            aria-label="omega"
            aria-valuetext={`omega ${told(omega)}`}
            onChange={(e) => change({ omega: stops[e.target.valueAsNumber]! })}
          />
          <div className="strip">
            {stops.map((at) => {
              const id = steered ? pictureAt(at) : undefined;
              return (
                <button
                  type="button"
                  key={at}
                  className={at === omega ? "stop chosen" : "stop"}
                  aria-pressed={at === omega}
                  aria-label={`omega ${told(at)}`}
                  disabled={!steered}
                  onClick={() => change({ omega: at })}
                >
                  {id ? <img src={tiller.pictures.url(id)} alt="" /> : <span className="empty" />}
                  {told(at)}
                </button>
              );
            })}
          </div>
        </div>
      </section>
    </div>
  );
}
