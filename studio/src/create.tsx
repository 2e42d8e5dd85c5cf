/** Create: a prompt, and the dial from the subject to the text, each stop drawn from the same noise. */
import { type FormEvent, useState } from "react";
import { adapters as askAdapters, models as askModels, start } from "./api.ts";
import { download, Field, Frame, JobLine, NumberField } from "./parts.tsx";
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
};

/** The dial's stops; the last one is cfg. */
const stops = Array.from({ length: 11 }, (_, i) => i / 10);

/** The chosen stop first, then cfg, then the others from the nearest on. */
const order = (omega: number) => {
  const rest = stops.filter((stop) => stop !== omega && stop !== 1);
  rest.sort((a, b) => Math.abs(a - omega) - Math.abs(b - omega));
  return omega === 1 ? [1, ...rest] : [omega, 1, ...rest];
};

export function Create({ learned }: { learned: number }) {
  const [form, setForm] = useKept("create", usualForm);
  const [drawn, setDrawn] = useKept<number[]>("create.stops", []);
  const { job, follow } = useJob("create");
  const [problem, setProblem] = useState("");
  const models = useAsked(askModels, 0) ?? [];
  const adapters = useAsked(askAdapters, learned) ?? [];
  const set =
    <K extends keyof CreateForm>(key: K) =>
    (value: CreateForm[K]) =>
      setForm((before) => ({ ...before, [key]: value }));
  const pictureAt = (omega: number) => job?.pictures[drawn.indexOf(omega)];

  async function draw(event: FormEvent) {
    event.preventDefault();
    setProblem("");
    const { prompt, negative, model, adapter, strength, scale, steps, seed, omega } = form;
    const omegas = order(omega);
    try {
      const asked = await start({
        ...(model && { model }),
        adapters: adapter ? [{ name: adapter, strength }] : [],
        request: { prompt, negative, scale, steps, seed, guidance: "pg" },
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
        <Field label="What to avoid">
          <input value={form.negative} onChange={(e) => set("negative")(e.target.value)} />
        </Field>
        {models.length > 1 && (
          <Field label="Model">
            <select value={form.model} onChange={(e) => set("model")(e.target.value)}>
              {models.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </Field>
        )}
        <div className="row">
          <Field label="Adapter">
            <select value={form.adapter} onChange={(e) => set("adapter")(e.target.value)}>
              <option value="">none</option>
              {adapters.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </Field>
          <NumberField label="Strength" value={form.strength} min={0} max={2} step={0.1} onChange={set("strength")} />
        </div>
        <div className="row">
          <NumberField label="Scale" value={form.scale} min={0} max={30} step={0.5} onChange={set("scale")} />
          <NumberField label="Steps" value={form.steps} min={1} max={200} onChange={set("steps")} />
          <NumberField label="Seed" value={form.seed} min={0} max={2 ** 31} onChange={set("seed")} />
        </div>
        <div className="row">
          <button type="submit" className="main">
            Draw
          </button>
          <button type="button" onClick={() => set("seed")(Math.floor(Math.random() * 2 ** 31))}>
            Another seed
          </button>
        </div>
        {problem && <p className="bad">{problem}</p>}
        <JobLine job={job} />
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
          {stops.map((stop) => {
            const id = pictureAt(stop);
            return (
              <button
                type="button"
                key={stop}
                className={stop === form.omega ? "stop chosen" : "stop"}
                aria-pressed={stop === form.omega}
                onClick={() => set("omega")(stop)}
              >
                {id ? <img src={`/pictures/${id}.png`} alt="" /> : <span className="empty" />}
                {stop.toFixed(1)}
              </button>
            );
          })}
        </div>
      </section>
    </div>
  );
}
