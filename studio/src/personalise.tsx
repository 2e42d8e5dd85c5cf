/** Personalise: pictures of one subject, and the loss as it is learned. */
import { type FormEvent, useEffect, useMemo, useState } from "react";
import { models as askModels, start, type TrainingJob, upload } from "./api.ts";
import { Field, Frame, JobLine, NumberField } from "./parts.tsx";
import { useAsked, useJob, useKept } from "./state.ts";

const usual = { name: "my-subject", class: "dog", token: "sks", steps: 400, rank: 16 };

/** What suits the embedded model; others learn as the recipe has it. */
const forDinghy = { learningRate: 1.5e-3, batch: 2, priorCount: 16 };

export function Personalise({ onLearned }: { onLearned: () => void }) {
  const [form, setForm] = useKept("personalise", usual);
  const [kept, setKept] = useKept<{ id: string; pictures: number } | null>("personalise.upload", null);
  const [files, setFiles] = useState<File[]>([]);
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState("");
  const { job, follow } = useJob("personalise");
  const [model] = useAsked(askModels, 0) ?? [];
  const previews = useMemo(() => files.map((file) => URL.createObjectURL(file)), [files]);
  useEffect(() => () => previews.forEach((url) => void URL.revokeObjectURL(url)), [previews]);
  useEffect(() => {
    if (job?.state === "done") onLearned();
  }, [job?.state, onLearned]);

  async function take(given: FileList | null) {
    if (!given || given.length === 0) return;
    const chosen = [...given];
    setFiles(chosen);
    setProblem("");
    setKept(null);
    try {
      setKept(await upload(chosen));
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  async function learn(event: FormEvent) {
    event.preventDefault();
    setProblem("");
    if (!kept) return setProblem("bring some pictures first");
    const request: TrainingJob = {
      kind: "training",
      upload: kept.id,
      ...form,
      ...(model?.name === "dinghy" && forDinghy),
      sampleEvery: Math.max(1, Math.ceil(form.steps / 5)),
    };
    try {
      follow((await start(request)).id);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  const set = (key: keyof typeof usual) => (value: string | number) =>
    setForm((before) => ({ ...before, [key]: value }));
  return (
    <div className="two">
      <form onSubmit={learn}>
        <label
          className={over ? "drop over" : "drop"}
          onDragOver={(e) => {
            e.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={(e) => {
            e.preventDefault();
            setOver(false);
            void take(e.dataTransfer.files);
          }}
        >
          <input type="file" accept="image/*" multiple onChange={(e) => take(e.target.files)} />
          <span>
            {kept ? `${kept.pictures} pictures are here` : "Drop 3 to 10 pictures of your subject, or choose them"}
          </span>
        </label>
        <div className="row">
          <Field label="Name">
            <input value={form.name} pattern="[\w\-]{1,40}" required onChange={(e) => set("name")(e.target.value)} />
          </Field>
          <Field label="What kind of thing it is">
            <input value={form.class} required onChange={(e) => set("class")(e.target.value)} />
          </Field>
        </div>
        <div className="row">
          <Field label="Token" hint="what prompts call it">
            <input value={form.token} pattern="\S+" required onChange={(e) => set("token")(e.target.value)} />
          </Field>
          <NumberField label="Steps" value={form.steps} min={1} max={5000} onChange={set("steps")} />
          <NumberField label="Rank" value={form.rank} min={1} max={128} onChange={set("rank")} />
        </div>
        <button type="submit" className="main">
          {job?.state === "cancelled" ? "Go on learning" : "Learn"}
        </button>
        {problem && <p className="bad">{problem}</p>}
        <JobLine job={job} />
        {job?.state === "done" && (
          <p>
            Learned. In Create, choose the adapter <b>{job.adapter}</b> and say “a {form.token} {form.class} …”.
          </p>
        )}
      </form>
      <section aria-label="What is learned">
        <div className="strip wide">
          {previews.map((url) => (
            <img key={url} src={url} alt="" />
          ))}
        </div>
        <LossCurve losses={job?.losses ?? []} />
        <Samples pictures={job?.pictures ?? []} />
      </section>
    </div>
  );
}

/** What the adapter draws on the way; the places are there before the pictures. */
function Samples({ pictures }: { pictures: readonly string[] }) {
  return (
    <div className="strip wide">
      {Array.from({ length: Math.max(5, pictures.length) }, (_, i) => {
        const id = pictures[i];
        const step = id && /\d+$/.exec(id)?.[0];
        return <Frame key={id ?? i} id={id} label={step ? `step ${step}` : "sample"} />;
      })}
    </div>
  );
}

/** The loss at each step faintly, and its moving mean. */
function LossCurve({ losses }: { losses: readonly number[] }) {
  const [width, height] = [640, 260];
  const path = (values: readonly number[]) => {
    const top = Math.max(...losses, 1e-9);
    return values
      .map(
        (v, i) =>
          `${i === 0 ? "M" : "L"}${((i / Math.max(1, losses.length - 1)) * width).toFixed(1)} ${(height - (v / top) * height).toFixed(1)}`,
      )
      .join("");
  };
  const window = Math.max(1, Math.round(losses.length / 12));
  const smooth = losses.map((_, i) => {
    const part = losses.slice(Math.max(0, i - window + 1), i + 1);
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
  return (
    <figure>
      <svg viewBox={`0 0 ${width} ${height}`} className="curve" role="img" aria-label="the loss so far">
        <path d={path(losses)} className="faint" />
        <path d={path(smooth)} />
      </svg>
      <figcaption>{losses.length > 0 ? `loss, ${losses.length} steps` : "the loss will be drawn here"}</figcaption>
    </figure>
  );
}
