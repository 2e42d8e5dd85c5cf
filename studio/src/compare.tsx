/** Compare: a table of methods by seeds, and a plot of their subject and text fidelity. */
import { type FormEvent, useRef, useState } from "react";
import { type Defaults, type GuidanceMethod, isOver, type Upload } from "tillerjs/client";
import { FromPicture } from "./from-picture.tsx";
import { Choice, Field, JobLine, NumberField, PictureFiles, Problem, Subject } from "./parts.tsx";
import { Plane, type Row } from "./plane.tsx";
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

export interface ComparisonForm extends DrawingForm {
  token: string;
  methods: string[];
  /** Settings by label, as typed: `0, 0.6`; absent ones have the method's or the model's default. */
  values: Record<string, string>;
  seeds: number;
  /** Pixels of a picture in the table. */
  size: number;
}

export const usualComparison: ComparisonForm = {
  ...usualDrawing,
  prompt: "a sks dog in the jungle",
  token: "sks",
  methods: ["cfg", "pg", "cfg-edit", "pg-edit"],
  values: { Omega: "0, 0.6" },
  seeds: 3,
  size: 160,
};

type Setting = GuidanceMethod["settings"][number];

/** The text of a setting's field: empty for the model's default. */
const written = ({ values }: Pick<ComparisonForm, "values">, { label, default: own, ofModel }: Setting): string =>
  values[label] ?? (ofModel ? "" : String(own));

/** The model's default for a setting. */
const usualOf = ({ name, default: own }: Setting, usual: Defaults): number | string =>
  (name === "scale" || name === "omega" ? usual[name] : undefined) ?? own;

/** Empty if the setting is left to the model. @throws Error naming the value that is not a number. */
function valuesOf(form: Pick<ComparisonForm, "values">, setting: Setting): (number | string)[] {
  const text = written(form, setting);
  if (setting.kind === "choice") return [text];
  // An omega by part has commas of its own.
  const separator = setting.kind === "omega" && text.includes("=") ? /[;\s]+/ : /[,;\s]+/;
  const isText = (part: string) => setting.kind === "omega" && /[=:]/.test(part);
  const parts = text.split(separator).filter((part) => part !== "");
  const wrong = parts.find((part) => !isText(part) && !Number.isFinite(Number(part)));
  if (wrong !== undefined)
    throw new Error(`${setting.label}: “${wrong}” is not a number; enter numbers like ${setting.default}`);
  return [...new Set(parts.map((part) => (isText(part) ? part : Number(part))))];
}

/**
 * A row for each method and combination of its settings' values.
 *
 * @throws Error naming the value that is not a number.
 */
export function rowsOf(
  form: Pick<ComparisonForm, "methods" | "values">,
  methods: readonly GuidanceMethod[],
  usual: Defaults,
): Row[] {
  return methods
    .filter(({ name }) => form.methods.includes(name))
    .flatMap(({ name, settings }) => {
      let rows: Row[] = [{ label: name, settings: { guidance: name } }];
      for (const setting of settings.toSorted((a, b) => Number(inNames(b)) - Number(inNames(a)))) {
        const values = valuesOf(form, setting);
        const left = setting.ofModel === true && values.length === 0;
        rows = rows.flatMap((row) =>
          (left ? [usualOf(setting, usual)] : values).map((value) => ({
            label: isTold(setting, value) || values.length > 1 ? `${row.label} ${told(setting, value)}` : row.label,
            settings: left ? row.settings : { ...row.settings, [setting.name]: value },
            steered: row.steered || inNames(setting),
          })),
        );
      }
      return rows;
    });
}

const inNames = ({ told }: Setting) => told === "in names";

/** Whether a row's name includes the setting even if it does not vary. */
const isTold = (setting: Setting, value: number | string) =>
  inNames(setting) || (setting.told === "when changed" && value !== setting.default);

const told = (setting: Setting, value: number | string) =>
  inNames(setting) || setting.kind === "choice" ? String(value) : `${setting.short}=${value}`;

/** The settings of the chosen methods, each quantity once. */
const settingsOf = (chosen: readonly string[], methods: readonly GuidanceMethod[]): Setting[] => [
  ...new Map(
    methods
      .filter(({ name }) => chosen.includes(name))
      .flatMap(({ settings }) => settings.map((one) => [one.label, one])),
  ).values(),
];

const seedsOf = ({ seed, seeds }: Pick<ComparisonForm, "seed" | "seeds">) =>
  Array.from({ length: seeds }, (_, i) => seed + i);

interface Table {
  readonly rows: readonly Row[];
  readonly seeds: readonly number[];
}

/** What the form would draw. */
function planned(form: ComparisonForm, methods: readonly GuidanceMethod[], usual: Defaults): Table {
  try {
    return { rows: rowsOf(form, methods, usual), seeds: seedsOf(form) };
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
  const models = useAsked(tiller.models, 0).value?.map(({ name }) => name);
  const adapters = useAsked(tiller.adapters, 0).value?.map(({ name }) => name);
  const methods = useAsked(tiller.guidanceMethods, 0).value ?? [];
  const usual = useDefaults(form, models, adapters);
  const edits = editsPictures(usual, methods);
  const canvas = useRef<HTMLCanvasElement>(null);
  /** Methods that the model can be drawn with. */
  const offered = methods.filter(({ needs }) => needs.includes("editing") === edits);
  const settings = settingsOf(form.methods, offered);
  const learned = offered.filter(({ name, needs }) => form.methods.includes(name) && needs.includes("learned token"));
  const change = (part: Partial<ComparisonForm>) => setForm((before) => ({ ...before, ...part }));
  const set =
    <K extends keyof ComparisonForm>(key: K) =>
    (value: ComparisonForm[K]) =>
      change({ [key]: value });

  async function draw() {
    setProblem("");
    try {
      const rows = rowsOf(form, offered, usual);
      if (rows.length === 0) throw new Error("choose a method, and a value for each of its settings");
      if (edits && form.image === null) throw new Error("drop the picture to edit first");
      // The new comparison replaces the old one, on the server too.
      if (job && !isOver(job)) await tiller.jobs.stop(job.id);
      const drawing = drawingJob(form, edits);
      const asked = await tiller.jobs.add({
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
      setReferences(await tiller.uploads.add([...files]));
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  const table = shown.rows.length > 0 ? shown : planned(form, offered, usual);
  return (
    <div className="two">
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          void alone(draw);
        }}
      >
        <Field label={edits ? "Instruction" : "Prompt"}>
          <textarea rows={2} value={form.prompt} required onChange={(e) => set("prompt")(e.target.value)} />
        </Field>
        <ModelAndAdapter form={form} change={change} models={models} adapters={adapters} />
        {edits && <FromPicture form={form} change={change} canvas={canvas} edits />}
        {!edits && form.image !== null && (
          <small>
            from a picture{form.mask === null ? "" : " with a mask"}, denoising strength {form.change}{" "}
            <button type="button" className="quiet" onClick={() => change({ image: null, mask: null })}>
              Remove
            </button>
          </small>
        )}
        {!isSteered(form) && (
          <small>
            Without {edits ? "a base" : "an adapter"} there is nothing to steer: every omega gives the same picture as
            CFG.
          </small>
        )}
        <fieldset>
          <legend>Methods</legend>
          {offered.map(({ name, label, help }) => (
            <label key={name} className="check" title={`${label}: ${help}`}>
              <input
                type="checkbox"
                checked={form.methods.includes(name)}
                onChange={(e) =>
                  set("methods")(
                    methods
                      .map((other) => other.name)
                      .filter((other) => (other === name ? e.target.checked : form.methods.includes(other))),
                  )
                }
              />
              {name}
            </label>
          ))}
        </fieldset>
        {learned.map(({ name }) => (
          <small key={name}>{name} needs an adapter with a learned token, and that token in the prompt.</small>
        ))}
        <div className="row">
          {settings.map((setting) => {
            const { label, help } = setting;
            const write = (text: string) => set("values")({ ...form.values, [label]: text });
            return setting.kind === "choice" ? (
              <Choice
                key={label}
                label={label}
                value={written(form, setting)}
                names={setting.choices}
                onChange={write}
              />
            ) : (
              <Field key={label} label={label}>
                <input
                  title={help}
                  placeholder={String(usualOf(setting, usual))}
                  value={written(form, setting)}
                  onChange={(e) => write(e.target.value)}
                />
              </Field>
            );
          })}
        </div>
        <div className="row">
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
          <OpenNumber label="Steps" value={form.steps} usual={usual.steps} min={1} max={1000} onChange={set("steps")} />
          <Field label="Token" hint="left out of the text for scores">
            <input value={form.token} onChange={(e) => set("token")(e.target.value)} />
          </Field>
        </div>
        <MoreSettings form={form} change={change} usual={usual} />
        <Field label="Reference pictures" hint="of the subject, for scores">
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
                        {id ? (
                          <img src={tiller.pictures.url(id)} alt={`${label}, seed ${seed}`} />
                        ) : (
                          <span className="empty" />
                        )}
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {!references && <p className="note">The fidelity plot needs reference pictures: add some.</p>}
        {job && references && <Plane job={job} references={references.id} {...shown} />}
      </section>
    </div>
  );
}
