/** Compare: methods below each other, seeds side by side, and where each stands between subject and text. */
import { type FormEvent, useState } from "react";
import { adapters as askAdapters, type Job, type Settings, scoresOf, start, upload } from "./api.ts";
import { Field, JobLine, NumberField } from "./parts.tsx";
import { useAsked, useJob, useKept } from "./state.ts";

const methods = ["none", "cfg", "ag", "cfg+ag", "sag", "pg", "cfg++", "pg++"] as const;

const usual = {
  prompt: "a sks dog in the jungle",
  adapter: "",
  token: "sks",
  methods: ["cfg", "pg"] as string[],
  omegas: "0, 0.6",
  scale: 5,
  seeds: 3,
  seed: 0,
  steps: 20,
  size: 160,
};

export interface Row {
  readonly label: string;
  readonly settings: Settings;
}

/** Those that the scale is for; of CFG++'s kind it is another quantity, and has its usual value here. */
const scaled = new Set(["cfg", "cfg+ag", "sag", "pg"]);

/** A row for each method; of those with an omega, one for each omega. */
export function rowsOf(form: Pick<typeof usual, "methods" | "omegas" | "scale">): Row[] {
  const omegas = [
    ...new Set(
      form.omegas
        .split(",")
        .filter((part) => part.trim())
        .map(Number),
    ),
  ].filter(Number.isFinite);
  return form.methods.flatMap((guidance): Row[] => {
    const settings = { guidance, ...(scaled.has(guidance) && { scale: form.scale }) };
    return guidance === "pg" || guidance === "pg++"
      ? omegas.map((omega) => ({ label: `${guidance} ${omega}`, settings: { ...settings, omega } }))
      : [{ label: guidance, settings }];
  });
}

export function Compare({ learned }: { learned: number }) {
  const [form, setForm] = useKept("compare", usual);
  const [shown, setShown] = useKept<{ rows: Row[]; seeds: number[]; token: string }>("compare.shown", {
    rows: [],
    seeds: [],
    token: "",
  });
  const [references, setReferences] = useKept<{ id: string; pictures: number } | null>("compare.references", null);
  const { job, follow } = useJob("compare");
  const [problem, setProblem] = useState("");
  const adapters = useAsked(askAdapters, learned) ?? [];
  const set =
    <K extends keyof typeof usual>(key: K) =>
    (value: (typeof usual)[K]) =>
      setForm((before) => ({ ...before, [key]: value }));

  async function draw(event: FormEvent) {
    event.preventDefault();
    setProblem("");
    const rows = rowsOf(form);
    if (rows.length === 0) return setProblem("choose a method, and an omega for pg");
    try {
      const asked = await start({
        adapters: form.adapter ? [{ name: form.adapter, strength: 1 }] : [],
        request: { prompt: form.prompt, seed: form.seed, count: form.seeds, steps: form.steps },
        variations: rows.map(({ settings }) => settings),
      });
      setShown({ rows, seeds: Array.from({ length: form.seeds }, (_, i) => form.seed + i), token: form.token });
      follow(asked.id);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  async function bring(files: FileList | null) {
    if (!files || files.length === 0) return;
    try {
      setReferences(await upload([...files]));
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  return (
    <div className="two">
      <form onSubmit={draw}>
        <Field label="Prompt">
          <textarea rows={2} value={form.prompt} required onChange={(e) => set("prompt")(e.target.value)} />
        </Field>
        <Field label="Adapter">
          <select value={form.adapter} onChange={(e) => set("adapter")(e.target.value)}>
            <option value="">none</option>
            {adapters.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </Field>
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
          <NumberField label="Seeds" value={form.seeds} min={1} max={8} onChange={set("seeds")} />
          <NumberField label="First seed" value={form.seed} min={0} max={2 ** 31} onChange={set("seed")} />
        </div>
        <div className="row">
          <NumberField label="Scale" value={form.scale} min={1} max={30} step={0.5} onChange={set("scale")} />
          <NumberField label="Steps" value={form.steps} min={1} max={200} onChange={set("steps")} />
          <Field label="Token" hint="left out when measured">
            <input value={form.token} onChange={(e) => set("token")(e.target.value)} />
          </Field>
        </div>
        <Field label="The subject's pictures" hint="to measure likeness with">
          <input type="file" accept="image/*" multiple onChange={(e) => bring(e.target.files)} />
        </Field>
        {references && <small>{references.pictures} pictures to measure against</small>}
        <button type="submit" className="main">
          Compare
        </button>
        {problem && <p className="bad">{problem}</p>}
        <JobLine job={job} />
      </form>
      <section aria-label="Pictures">
        <label className="dial">
          <span>smaller</span>
          <input
            type="range"
            min={80}
            max={400}
            value={form.size}
            aria-label="size of all pictures"
            onChange={(e) => set("size")(e.target.valueAsNumber)}
          />
          <span>larger</span>
        </label>
        <div className="scroll" style={{ ["--cell" as string]: `${form.size}px` }}>
          <table className="cells">
            <tbody>
              {shown.rows.map(({ label }, row) => (
                <tr key={label}>
                  <th scope="row">{label}</th>
                  {shown.seeds.map((seed, column) => {
                    const id = job?.pictures[row * shown.seeds.length + column];
                    return (
                      <td key={seed}>
                        {id ? (
                          <img src={`/pictures/${id}.png`} alt={`${label}, seed ${seed}`} />
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
        {job && references && <Plane job={job} references={references.id} {...shown} />}
      </section>
    </div>
  );
}

/** Where each row's pictures stand so far: text to the right, subject upwards. */
function Plane(props: { job: Job; references: string; rows: Row[]; seeds: number[]; token: string }) {
  const { job, references, rows, seeds, token } = props;
  const scores = useAsked(
    () => scoresOf(job.id, references, token),
    `${job.id} ${references} ${Math.floor(job.pictures.length / seeds.length)}`,
  );
  const points = rows.flatMap(({ label }, row) => {
    const those = scores?.slice(row * seeds.length, (row + 1) * seeds.length) ?? [];
    if (those.length === 0) return [];
    const mean = (of: (one: (typeof those)[number]) => number) =>
      those.reduce((sum, s) => sum + of(s), 0) / those.length;
    return [{ label, x: mean((s) => s.clipT), y: mean((s) => s.dino) }];
  });
  if (points.length === 0) return null;
  const [width, height, edge] = [640, 360, 48];
  const scale = (values: number[], from: number, to: number) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return (v: number) => from + ((v - low + (high - low || 1) * 0.1) / ((high - low || 1) * 1.2)) * (to - from);
  };
  const x = scale(
    points.map((p) => p.x),
    edge,
    width - edge * 2,
  );
  const y = scale(
    points.map((p) => p.y),
    height - edge,
    edge / 2,
  );
  return (
    <figure>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        className="plane"
        role="img"
        aria-label="subject fidelity over text fidelity"
      >
        <path d={`M${edge} ${edge / 2}V${height - edge}H${width - edge}`} className="axis" />
        <text x={width / 2} y={height - 12}>
          nearer to the text (CLIP-T) →
        </text>
        <text transform={`translate(16 ${height / 2}) rotate(-90)`}>nearer to the subject (DINO) →</text>
        {points.map((p) => (
          // Labels stand on the side where there is room.
          <g
            key={p.label}
            transform={`translate(${x(p.x)} ${y(p.y)})`}
            className={p.label.startsWith("pg") ? "pg" : ""}
          >
            <circle r="6" />
            <text x={x(p.x) > width / 2 ? -10 : 10} y="5" className={x(p.x) > width / 2 ? "end" : "start"}>
              {p.label} ({p.y.toFixed(3)}, {p.x.toFixed(3)})
            </text>
          </g>
        ))}
      </svg>
    </figure>
  );
}
