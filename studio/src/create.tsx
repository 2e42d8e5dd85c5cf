/** Create: a prompt, and the dial from the subject to the text, each stop drawn from the same noise. */
import { type FormEvent, useState } from "react";
import type { SamplerName } from "../../src/samplers/config.ts";
import { adapters as askAdapters, models as askModels, isOver, start, stop } from "./api.ts";
import { Choice, download, Field, Frame, JobLine, NumberField, Problem } from "./parts.tsx";
import { useAsked, useJob, useKept } from "./state.ts";

export interface CreateForm {
  prompt: string;
  negative: string;
  model: string;
  adapter: string;
  strength: number;
  scale: number;
  steps: number;
  seed: number;
  omega: number;
  sampler: string;
  /** Pixels; null for the model's own. */
  width: number | null;
  height: number | null;
}

export const usualForm: CreateForm = {
  prompt: "a dog in the snow",
  negative: "",
  model: "",
  adapter: "",
  strength: 1,
  scale: 5,
  steps: 20,
  seed: 0,
  omega: 0.6,
  sampler: "ddim",
  width: null,
  height: null,
};

const samplers = ["ddim", "dpm++", "euler", "euler-a"] satisfies SamplerName[];

/** The dial's stops; the last one is cfg. */
const stops = Array.from({ length: 11 }, (_, i) => i / 10);

/** The chosen stop first, then cfg, then the others from the nearest on. */
const order = (omega: number) => {
  const rest = stops.filter((other) => other !== omega && other !== 1);
  rest.sort((a, b) => Math.abs(a - omega) - Math.abs(b - omega));
  return omega === 1 ? [1, ...rest] : [omega, 1, ...rest];
};

const orNull = (value: number) => (Number.isFinite(value) ? value : null);

export function Create({ learned }: { learned: number }) {
  const [form, setForm] = useKept("create", usualForm);
  const [drawn, setDrawn] = useKept<number[]>("create.stops", []);
  const followed = useJob("create");
  const { job, follow } = followed;
  const [problem, setProblem] = useState("");
  const models = useAsked(askModels, 0).value?.map(({ name }) => name);
  const adapters = useAsked(askAdapters, learned).value?.map(({ name }) => name);
  const set =
    <K extends keyof CreateForm>(key: K) =>
    (value: CreateForm[K]) =>
      setForm((before) => ({ ...before, [key]: value }));
  const pictureAt = (omega: number) => job?.pictures[drawn.indexOf(omega)];

  async function draw(event: FormEvent) {
    event.preventDefault();
    setProblem("");
    const { prompt, negative, model, adapter, strength, scale, steps, seed, omega, sampler, width, height } = form;
    const omegas = order(omega);
    try {
      // The new strip takes the old one's place, on the server too.
      if (job && !isOver(job)) await stop(job.id);
      const asked = await start({
        ...(model && { model }),
        adapters: adapter ? [{ name: adapter, strength }] : [],
        request: {
          prompt,
          negative,
          scale,
          steps,
          seed,
          sampler,
          guidance: "pg",
          ...(width !== null && { width }),
          ...(height !== null && { height }),
        },
        variations: omegas.map((w) => ({ omega: w })),
      });
      setDrawn(omegas);
      follow(asked.id);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  const shown = pictureAt(form.omega);
  return (
    <div className="two">
      <form onSubmit={draw}>
        <Field label="Prompt">
          <textarea rows={3} value={form.prompt} onChange={(e) => set("prompt")(e.target.value)} required />
        </Field>
        {models && (models.length > 1 || form.model !== "") && (
          <Choice label="Model" value={form.model} names={models} none={models[0]!} onChange={set("model")} />
        )}
        <div className="row">
          <Choice label="Adapter" value={form.adapter} names={adapters} none="none" onChange={set("adapter")} />
          <NumberField
            label="Strength"
            value={form.strength}
            min={-10}
            max={10}
            step="any"
            onChange={set("strength")}
          />
        </div>
        <div className="row">
          <NumberField label="Scale" value={form.scale} min={0} max={100} step="any" onChange={set("scale")} />
          <NumberField label="Steps" value={form.steps} min={1} max={1000} onChange={set("steps")} />
          <NumberField label="Seed" value={form.seed} min={0} max={Number.MAX_SAFE_INTEGER} onChange={set("seed")} />
        </div>
        <details>
          <summary>More</summary>
          <Field label="What to avoid">
            <input value={form.negative} onChange={(e) => set("negative")(e.target.value)} />
          </Field>
          <div className="row">
            <Choice label="Sampler" value={form.sampler} names={samplers} onChange={set("sampler")} />
            <NumberField
              label="Width"
              value={form.width ?? undefined}
              usual="the model's"
              min={8}
              max={2048}
              step={8}
              onChange={(value) => set("width")(orNull(value))}
            />
            <NumberField
              label="Height"
              value={form.height ?? undefined}
              usual="the model's"
              min={8}
              max={2048}
              step={8}
              onChange={(value) => set("height")(orNull(value))}
            />
          </div>
        </details>
        <div className="row">
          <button type="submit" className="main">
            Draw
          </button>
          <button type="button" onClick={() => set("seed")(Math.floor(Math.random() * 2 ** 31))}>
            Another seed
          </button>
        </div>
        <Problem text={problem} />
        <JobLine {...followed} />
      </form>
      <section aria-label="Pictures">
        <div className="pair">
          <Frame id={shown} label={`omega ${form.omega}`}>
            omega {form.omega.toFixed(1)}{" "}
            {shown && (
              <button type="button" className="quiet" onClick={() => download(shown)}>
                Download
              </button>
            )}
          </Frame>
          <Frame id={pictureAt(1)} label="cfg, omega 1">
            CFG (omega 1)
          </Frame>
        </div>
        <label className="dial">
          <span>the subject</span>
          <input
            type="range"
            min={0}
            max={1}
            step={0.1}
            value={form.omega}
            aria-label="omega"
            aria-valuetext={`omega ${form.omega.toFixed(1)}`}
            onChange={(e) => set("omega")(Math.round(e.target.valueAsNumber * 10) / 10)}
          />
          <span>the text</span>
        </label>
        <div className="strip">
          {stops.map((at) => {
            const id = pictureAt(at);
            return (
              <button
                type="button"
                key={at}
                className={at === form.omega ? "stop chosen" : "stop"}
                aria-pressed={at === form.omega}
                onClick={() => set("omega")(at)}
              >
                {id ? <img src={`/pictures/${id}.png`} alt="" /> : <span className="empty" />}
                {at.toFixed(1)}
              </button>
            );
          })}
        </div>
      </section>
    </div>
  );
}
