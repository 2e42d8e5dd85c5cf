/** Compare: methods below each other, seeds side by side, and where each stands between subject and text. */
import { type FormEvent, useState } from "react";
import type { GuidanceName } from "../../src/guidance/methods.ts";
import {
  adapters as askAdapters,
  models as askModels,
  isOver,
  pictureUrl,
  type Settings,
  start,
  stop,
  type Upload,
  upload,
} from "./api.ts";
import { Field, JobLine, NumberField, PictureFiles, Problem, Subject } from "./parts.tsx";
import { Plane } from "./plane.tsx";
import { type DrawingForm, drawingJob, ModelAndAdapter, MoreSettings, usualDrawing } from "./settings.tsx";
import { useAsked, useJob, useKept, useOneAtATime } from "./state.ts";

const methods = [
  "none",
  "cfg",
  "ag",
  "cfg+ag",
  "autolora",
  "sag",
  "sag-additive",
  "pg",
  "cfg++",
  "pg++",
] satisfies GuidanceName[];

export interface ComparisonForm extends DrawingForm {
  token: string;
  methods: string[];
  /** As they are written: `0, 0.6`. */
  omegas: string;
  seeds: number;
  /** Pixels of a picture in the table. */
  size: number;
}

export const usualComparison: ComparisonForm = {
  ...usualDrawing,
  prompt: "a sks dog in the jungle",
  token: "sks",
  methods: ["cfg", "pg"],
  omegas: "0, 0.6",
  seeds: 3,
  size: 160,
};

export interface Row {
  readonly label: string;
  readonly settings: Settings;
}

/** Those that the scale is for; of CFG++'s kind it is another quantity, and has its usual value here. */
const scaled = new Set(["cfg", "cfg+ag", "autolora", "sag", "sag-additive", "pg"]);
/** Those with autoguidance in them. */
export const autoguided: ReadonlySet<string> = new Set(["ag", "cfg+ag", "autolora"]);

/**
 * A row for each method; of those with an omega, one for each omega.
 *
 * @throws Error naming what of the omegas is no number.
 */
export function rowsOf(form: Pick<ComparisonForm, "methods" | "omegas" | "scale" | "agScale">): Row[] {
  const written = form.omegas.split(/[,;\s]+/).filter((part) => part !== "");
  const wrong = written.find((part) => !Number.isFinite(Number(part)));
  if (wrong !== undefined) throw new Error(`“${wrong}” is no omega; write numbers like 0, 0.6`);
  const omegas = [...new Set(written.map(Number))];
  return form.methods.flatMap((guidance): Row[] => {
    const settings = {
      guidance,
      ...(scaled.has(guidance) && { scale: form.scale }),
      ...(autoguided.has(guidance) && { agScale: form.agScale }),
    };
    return guidance === "pg" || guidance === "pg++"
      ? omegas.map((omega) => ({ label: `${guidance} ${omega}`, settings: { ...settings, omega } }))
      : [{ label: guidance, settings }];
  });
}

const seedsOf = ({ seed, seeds }: Pick<ComparisonForm, "seed" | "seeds">) =>
  Array.from({ length: seeds }, (_, i) => seed + i);

interface Table {
  readonly rows: readonly Row[];
  readonly seeds: readonly number[];
}

/** What would be drawn as the form stands. */
function planned(form: ComparisonForm): Table {
  try {
    return { rows: rowsOf(form), seeds: seedsOf(form) };
  } catch {
    return { rows: [], seeds: [] };
  }
}

export function Compare() {
  const [form, setForm] = useKept("compare", usualComparison);
  const [shown, setShown] = useKept<{ rows: Row[]; seeds: number[]; token: string }>("compare.shown", {
    rows: [],
    seeds: [],
    token: "",
  });
  const [references, setReferences] = useKept<Upload | null>("compare.references", null);
  const followed = useJob("compare");
  const { job, follow } = followed;
  const { busy, alone } = useOneAtATime();
  const [problem, setProblem] = useState("");
  const models = useAsked(askModels, 0).value?.map(({ name }) => name);
  const adapters = useAsked(askAdapters, 0).value?.map(({ name }) => name);
  const change = (part: Partial<ComparisonForm>) => setForm((before) => ({ ...before, ...part }));
  const set =
    <K extends keyof ComparisonForm>(key: K) =>
    (value: ComparisonForm[K]) =>
      change({ [key]: value });

  async function draw() {
    setProblem("");
    try {
      const rows = rowsOf(form);
      if (rows.length === 0) throw new Error("choose a method, and an omega for pg");
      // The new comparison takes the old one's place, on the server too.
      if (job && !isOver(job)) await stop(job.id);
      const drawing = drawingJob(form);
      const asked = await start({
        ...drawing,
        request: { ...drawing.request, count: form.seeds },
        variations: rows.map(({ settings }) => settings),
      });
      setShown({ rows, seeds: seedsOf(form), token: form.token });
      follow(asked.id);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  async function bring(files: FileList | null) {
    if (!files || files.length === 0) return;
    setProblem("");
    try {
      setReferences(await upload([...files]));
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  const table = shown.rows.length > 0 ? shown : planned(form);
  return (
    <div className="two">
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          void alone(draw);
        }}
      >
        <Field label="Prompt">
          <textarea rows={2} value={form.prompt} required onChange={(e) => set("prompt")(e.target.value)} />
        </Field>
        <ModelAndAdapter form={form} change={change} models={models} adapters={adapters} />
        {form.adapter === "" && (
          <small>Without an adapter there is nothing to steer: every omega gives CFG's picture.</small>
        )}
        <fieldset>
          <legend>Methods</legend>
          {methods.map((name) => (
            <label key={name} className="check">
              <input
                type="checkbox"
                checked={form.methods.includes(name)}
                onChange={(e) =>
                  set("methods")(
                    methods.filter((other) => (other === name ? e.target.checked : form.methods.includes(other))),
                  )
                }
              />
              {name}
            </label>
          ))}
        </fieldset>
        <div className="row">
          <Field label="Omegas">
            <input value={form.omegas} onChange={(e) => set("omegas")(e.target.value)} />
          </Field>
          <NumberField label="Seeds" value={form.seeds} min={1} max={16} onChange={set("seeds")} />
          <NumberField
            label="First seed"
            value={form.seed}
            min={0}
            max={Number.MAX_SAFE_INTEGER}
            onChange={set("seed")}
          />
        </div>
        <div className="row">
          <NumberField label="Scale" value={form.scale} min={0} max={100} step="any" onChange={set("scale")} />
          {form.methods.some((name) => autoguided.has(name)) && (
            <NumberField label="AG scale" value={form.agScale} min={0} max={100} step="any" onChange={set("agScale")} />
          )}
          <NumberField label="Steps" value={form.steps} min={1} max={1000} onChange={set("steps")} />
          <Field label="Token" hint="left out when measured">
            <input value={form.token} onChange={(e) => set("token")(e.target.value)} />
          </Field>
        </div>
        <MoreSettings form={form} change={change} />
        <Field label="The subject's pictures" hint="to measure likeness with">
          <PictureFiles onFiles={bring} />
        </Field>
        {references && (
          <>
            <Subject upload={references} label="the subject" />
            <div className="row">
              <small>
                {references.pictures} {references.pictures === 1 ? "picture" : "pictures"} to measure against
              </small>
              <button type="button" className="quiet" onClick={() => setReferences(null)}>
                Remove
              </button>
            </div>
          </>
        )}
        <button type="submit" className="main" disabled={busy}>
          Compare
        </button>
        <Problem text={problem} />
        <JobLine {...followed} />
      </form>
      <section aria-label="Pictures">
        <label className="dial">
          <span>smaller</span>
          <input
            type="range"
            min={80}
            max={768}
            value={form.size}
            aria-label="size of all pictures"
            onChange={(e) => set("size")(e.target.valueAsNumber)}
          />
          <span>larger</span>
        </label>
        <div className="scroll" style={{ ["--cell" as string]: `${form.size}px` }}>
          <table className="cells" aria-label="methods by seeds">
            <thead>
              <tr>
                <td />
                {table.seeds.map((seed) => (
                  <th key={seed} scope="col">
                    seed {seed}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {table.rows.map(({ label }, row) => (
                <tr key={label}>
                  <th scope="row">{label}</th>
                  {table.seeds.map((seed, column) => {
                    const id = job?.pictures[row * table.seeds.length + column];
                    return (
                      <td key={seed}>
                        {id ? <img src={pictureUrl(id)} alt={`${label}, seed ${seed}`} /> : <span className="empty" />}
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {!references && <p className="note">The fidelity plane needs the subject's pictures: bring some.</p>}
        {job && references && <Plane job={job} references={references.id} {...shown} />}
      </section>
    </div>
  );
}
